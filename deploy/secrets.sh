#!/bin/sh
# Makes the secrets that docker-compose.yml reads, into deploy/secrets or the folder
# named. What is there stays. XMPP_DOMAIN names the chat server's domain.
set -eu
dir=${1:-$(dirname "$0")/secrets}
domain=${XMPP_DOMAIN:-desk.example.org}
mkdir -p "$dir"
chmod 700 "$dir" # the files inside must be readable by the containers' users
cd "$dir"
umask 022

once() { [ -s "$1" ] || { shift_name=$1; shift; "$@" >"$shift_name"; }; }
letters() { openssl rand -hex "$1"; }

once desk_db_password letters 16
once temporal_db_password letters 16
once token_key openssl rand -base64 48
once smpp_password letters 4 # SMPP has room for 8 characters
once xmpp_password letters 16
once database_url printf 'postgres://deskbell:%s@desk-postgres:5432/deskbell\n' "$(cat desk_db_password)"

if [ ! -s xmpp_certificate ]; then
	openssl req -x509 -newkey rsa:3072 -nodes -days 3650 -subj "/CN=Deskbell CA" -keyout ca_key -out xmpp_ca 2>/dev/null
	openssl req -newkey rsa:3072 -nodes -subj "/CN=$domain" -keyout xmpp_key -out request 2>/dev/null
	printf 'subjectAltName=DNS:%s\nextendedKeyUsage=serverAuth\n' "$domain" >extensions
	openssl x509 -req -in request -CA xmpp_ca -CAkey ca_key -CAcreateserial -days 825 -extfile extensions -out xmpp_certificate 2>/dev/null
	rm -f request extensions xmpp_ca.srl
	chmod 600 ca_key
	chmod 644 xmpp_key
fi
