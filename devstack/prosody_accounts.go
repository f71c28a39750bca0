package devstack

import (
	"bytes"
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// scramIterations is Prosody's default.
const scramIterations = 10000

// writeAccount writes the file in which Prosody's internal_hashed keeps a login: the SCRAM
// keys (RFC 5802, section 3) of the password. An existing account gets the password given.
func writeAccount(data string, a Account) error {
	salt := rand.Text()
	salted, err := pbkdf2.Key(sha256.New, a.Password, []byte(salt), scramIterations, sha256.Size)
	if err != nil {
		return err
	}
	storedKey := sha256.Sum256(sign(salted, "Client Key"))
	text := fmt.Sprintf("return {\n\t[\"stored_key\"] = %s;\n\t[\"server_key\"] = %s;\n\t[\"salt\"] = %s;\n\t[\"iteration_count\"] = %d;\n};\n",
		luaString(hex.EncodeToString(storedKey[:])), luaString(hex.EncodeToString(sign(salted, "Server Key"))),
		luaString(salt), scramIterations)

	local, domain, _ := strings.Cut(strings.ToLower(a.JID), "@")
	folder := filepath.Join(data, prosodyName(domain), "accounts")
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return err
	}
	return writeFile(filepath.Join(folder, prosodyName(local)+".dat"), []byte(text), 0o600)
}

func sign(key []byte, text string) []byte {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(text))
	return mac.Sum(nil)
}

// rosterGroups pairs every account with the bot, so that each is in the other's roster with
// presence in both directions and people do not see each other.
func rosterGroups(bot Account, accounts []Account) []byte {
	var text bytes.Buffer
	for _, a := range accounts {
		fmt.Fprintf(&text, "[%s for %s]\n%s=%s\n%s=%s\n", oneLine(bot.Name), a.JID,
			bot.JID, oneLine(bot.Name), a.JID, oneLine(a.Name))
	}
	return text.Bytes()
}

func oneLine(text string) string { return strings.Join(strings.Fields(text), " ") }

// prosodyName is a name as Prosody writes it in paths: everything but ASCII letters and
// digits as %xx.
func prosodyName(name string) string {
	var b strings.Builder
	for _, c := range []byte(name) {
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02x", c)
		}
	}
	return b.String()
}

// luaString quotes a string for Lua.
func luaString(text string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, c := range []byte(text) {
		if c < ' ' || c == '"' || c == '\\' || c == 0x7f {
			fmt.Fprintf(&b, `\%03d`, c)
		} else {
			b.WriteByte(c)
		}
	}
	b.WriteByte('"')
	return b.String()
}
