// Package command is what people type. Parse reads one message without knowing
// anything about the conversation; Resolve gives it a meaning in the
// conversation's context. Both are pure and total: they know no network, no
// store and no clock, and no message makes them fail.
//
// The words stand in grammar.json. A verb that is added there is read by Parse;
// what it then means is one line in Resolve's table.
package command
