// Package notice is every text that people read: messages by SMS and IM, and the
// plain words in the Temporal UI. The texts stand in messages.json, per language
// and channel; values are built here too, so that no other package has words.
//
// The package is pure. It knows no network, no store, no clock and not who a
// person is; it counts SMS segments but does not encode them.
package notice
