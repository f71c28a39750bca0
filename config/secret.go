package config

import (
	"fmt"
	"log/slog"
)

// Secret is a value that no log, error or dump may show. The zero value is empty.
type Secret struct {
	// A pointer, because fmt calls no methods on the unexported fields of a struct
	// that happens to hold a Secret, and prints what it finds: an address.
	value *string
}

const redacted = "[redacted]"

// Reveal returns the value itself.
func (s Secret) Reveal() string {
	if s.value == nil {
		return ""
	}
	return *s.value
}

// String returns a placeholder.
func (s Secret) String() string { return redacted }

// GoString returns a placeholder.
func (s Secret) GoString() string { return redacted }

// Format writes a placeholder, whatever the verb.
func (s Secret) Format(f fmt.State, _ rune) { fmt.Fprint(f, redacted) }

// LogValue returns a placeholder.
func (s Secret) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText writes a placeholder.
func (s Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// NewSecret returns a secret for a value that does not come from the environment.
func NewSecret(value string) Secret { return Secret{value: &value} }
