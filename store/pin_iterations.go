//go:build !race

package store

// A PIN has few digits, so its hash must be slow: OWASP's figure for
// PBKDF2-HMAC-SHA256, about 0.1 s.
const pinIterations = 600_000
