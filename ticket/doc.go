// Package ticket is the ticket: its states, the verbs that change it, and the
// times at which something happens by itself.
//
// Apply is the only place where a ticket changes. It is pure: no clock, no
// network, no store, no workflow engine, no map iteration, so a workflow can
// replay it. A change is a list of events; folding a ticket's events from the
// first gives the ticket again.
//
// What needs to be looked up in the world (who is on duty, who is on call, what
// "four office hours" comes to) is asked for by Ticket.Lookup and handed back as
// a Found command.
package ticket
