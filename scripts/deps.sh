#!/bin/sh
# Says which of the system's programs are missing, and installs them where it may: as root
# with apt, or with Homebrew. Otherwise it prints the line to run.
#
#   scripts/deps.sh          what `make run` needs
#   scripts/deps.sh test     and what the tests need
#
# Fails only without PostgreSQL: without Prosody there is no chat, without Chromium the
# browser tests are skipped, without slixmpp, ejabberd, profanity, Net::SMPP and Kannel those
# against other people's programs.
set -eu

postgres_minimum=15

# The newest PostgreSQL found, "0" if there is none. The folders are devstack's.
postgres_version() {
	newest=0
	for program in "$(command -v postgres || true)" /usr/lib/postgresql/*/bin/postgres /usr/pgsql-*/bin/postgres \
		/opt/homebrew/opt/postgresql*/bin/postgres /usr/local/opt/postgresql*/bin/postgres; do
		[ -x "$program" ] || continue
		version=$("$program" --version | sed -n 's/^.*(PostgreSQL) \([0-9]*\).*$/\1/p')
		if [ "${version:-0}" -gt "$newest" ]; then newest=$version; fi
	done
	echo "$newest"
}

has_chromium() {
	for program in chromium chromium-browser google-chrome; do
		if command -v $program >/dev/null; then return 0; fi
	done
	[ -d "/Applications/Google Chrome.app" ] || [ -d /Applications/Chromium.app ]
}

# Where there is no apt, devstack says what is missing.
has_sqlite_for_prosody() {
	! command -v dpkg >/dev/null || dpkg -s lua-dbi-sqlite3 >/dev/null 2>&1
}

has_ejabberd() { ls /usr/lib/*/ejabberd-*/ebin/ejabberd.app >/dev/null 2>&1; }

# missing PURPOSE prints the names of the packages that are missing, as apt calls them.
missing() {
	if [ "$(postgres_version)" -lt $postgres_minimum ]; then echo postgresql; fi
	if ! command -v prosody >/dev/null; then echo prosody; fi
	if ! has_sqlite_for_prosody; then echo lua-dbi-sqlite3; fi
	if [ "$1" = test ]; then
		if ! has_chromium; then echo chromium; fi
		if ! /usr/bin/python3 -c 'import slixmpp' 2>/dev/null; then echo python3-slixmpp; fi
		if ! has_ejabberd; then echo ejabberd; fi
		if ! command -v profanity >/dev/null; then echo profanity-light; fi
		if ! command -v tmux >/dev/null; then echo tmux; fi
		if ! perl -MNet::SMPP -e 1 2>/dev/null; then echo libnet-smpp-perl; fi
		if ! command -v slapd >/dev/null && [ ! -x /usr/sbin/slapd ]; then echo slapd; fi
		if ! command -v bearerbox >/dev/null && [ ! -x /usr/sbin/bearerbox ]; then echo kannel; fi
	fi
}

# The packages bring services of their own, which we do not use: keep them from starting.
install_apt() {
	policy=/usr/sbin/policy-rc.d
	if [ ! -e $policy ]; then
		trap 'rm -f $policy' EXIT INT TERM
		printf '#!/bin/sh\nexit 101\n' >$policy
		chmod 755 $policy
	fi
	apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "$@"
}

install_brew() {
	for package; do
		case $package in
		postgresql) brew install postgresql@17 ;;
		prosody) brew install prosody/prosody/prosody ;;
		chromium) brew install --cask chromium ;;
		tmux) brew install tmux ;;
		python3-slixmpp | ejabberd | profanity-light | libnet-smpp-perl | kannel) ;; # Debian's; the tests against them are skipped elsewhere
		esac
	done
}

purpose=${1:-run}
wanted=$(missing "$purpose" | xargs)
if [ -n "$wanted" ]; then
	echo "missing: $wanted"
	# shellcheck disable=SC2086 # a list of names
	if command -v apt-get >/dev/null; then
		if [ "$(id -u)" = 0 ]; then
			install_apt $wanted || true
		else
			echo "run: sudo apt-get install --no-install-recommends $wanted"
		fi
	elif command -v brew >/dev/null; then
		install_brew $wanted || true
	else
		echo "install them with your system's package manager"
	fi
	wanted=$(missing "$purpose" | xargs)
fi

found=$(postgres_version)
case " $wanted " in
*" postgresql "*)
	if [ "$found" -gt 0 ]; then
		echo "PostgreSQL $found is too old, $postgres_minimum or newer is needed: see https://www.postgresql.org/download/"
	else
		echo "PostgreSQL $postgres_minimum or newer is needed"
	fi
	exit 1
	;;
esac
case " $wanted " in *" prosody "*) echo "without Prosody there is no chat (XMPP)" ;; esac
case " $wanted " in *" lua-dbi-sqlite3 "*) echo "without Prosody's SQLite module chats get slower the longer they are" ;; esac
case " $wanted " in *" chromium "*) echo "without Chromium the browser tests are skipped" ;; esac
case " $wanted " in *" python3-slixmpp "*) echo "without slixmpp the test against it is skipped" ;; esac
case " $wanted " in *" ejabberd "* | *" profanity-light "* | *" tmux "*) echo "without ejabberd, profanity and tmux the tests with them are skipped" ;; esac
case " $wanted " in *" slapd "*) echo "without slapd the test against an LDAP server is skipped" ;; esac
case " $wanted " in *" libnet-smpp-perl "* | *" kannel "*) echo "without Net::SMPP and Kannel the tests against them are skipped" ;; esac
