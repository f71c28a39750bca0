package store

import (
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"
)

const pinSaltBytes = 16

// hashPIN returns "iterations.salt.hash", and nothing for no PIN.
func hashPIN(pin string) (string, error) {
	if pin == "" {
		return "", nil
	}
	salt := make([]byte, pinSaltBytes)
	rand.Read(salt)
	hash, err := pbkdf2.Key(sha256.New, pin, salt, pinIterations, sha256.Size)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%d.%s.%s", pinIterations, encode(salt), encode(hash)), nil
}

func matchPIN(stored, pin string) (bool, error) {
	if stored == "" || pin == "" {
		return false, nil
	}
	fields := strings.Split(stored, ".")
	if len(fields) != 3 {
		return false, fmt.Errorf("malformed hash")
	}
	iterations, err := strconv.Atoi(fields[0])
	if err != nil {
		return false, fmt.Errorf("malformed hash: %w", err)
	}
	salt, err := base64.RawStdEncoding.DecodeString(fields[1])
	if err != nil {
		return false, fmt.Errorf("malformed hash: %w", err)
	}
	hash, err := pbkdf2.Key(sha256.New, pin, salt, iterations, sha256.Size)
	if err != nil {
		return false, err
	}
	return subtle.ConstantTimeCompare([]byte(fields[2]), []byte(encode(hash))) == 1, nil
}

func encode(data []byte) string { return base64.RawStdEncoding.EncodeToString(data) }
