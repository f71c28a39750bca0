package sms

import (
	"cmp"
	"errors"
	"fmt"
	"time"

	"github.com/fiorix/go-smpp/smpp/pdu"
)

// Command statuses (SMPP 3.4, 5.1.3); go-smpp has their words, not their names.
const (
	StatusOK          pdu.Status = 0x00
	StatusInvalidLen  pdu.Status = 0x02 // ESME_RINVCMDLEN
	StatusInvalidID   pdu.Status = 0x03 // ESME_RINVCMDID
	StatusNotBound    pdu.Status = 0x04 // ESME_RINVBNDSTS
	StatusSystemError pdu.Status = 0x08 // ESME_RSYSERR
	StatusBindFailed  pdu.Status = 0x0D // ESME_RBINDFAIL
	StatusPassword    pdu.Status = 0x0E // ESME_RINVPASWD
	StatusSystemID    pdu.Status = 0x0F // ESME_RINVSYSID
	StatusQueueFull   pdu.Status = 0x14 // ESME_RMSGQFUL
	StatusDestination pdu.Status = 0x0B // ESME_RINVDSTADR
	StatusThrottled   pdu.Status = 0x58 // ESME_RTHROTTLED
	StatusTemporary   pdu.Status = 0x64 // ESME_RX_T_APPN
	StatusPermanent   pdu.Status = 0x65 // ESME_RX_P_APPN
)

// names are the statuses of SMPP 3.4, 5.1.3.
var names = map[pdu.Status]string{
	0x00: "ESME_ROK", 0x01: "ESME_RINVMSGLEN", 0x02: "ESME_RINVCMDLEN", 0x03: "ESME_RINVCMDID", 0x04: "ESME_RINVBNDSTS",
	0x05: "ESME_RALYBND", 0x06: "ESME_RINVPRTFLG", 0x07: "ESME_RINVREGDLVFLG", 0x08: "ESME_RSYSERR", 0x0A: "ESME_RINVSRCADR",
	0x0B: "ESME_RINVDSTADR", 0x0C: "ESME_RINVMSGID", 0x0D: "ESME_RBINDFAIL", 0x0E: "ESME_RINVPASWD", 0x0F: "ESME_RINVSYSID",
	0x11: "ESME_RCANCELFAIL", 0x13: "ESME_RREPLACEFAIL", 0x14: "ESME_RMSGQFUL", 0x15: "ESME_RINVSERTYP", 0x33: "ESME_RINVNUMDESTS",
	0x34: "ESME_RINVDLNAME", 0x40: "ESME_RINVDESTFLAG", 0x42: "ESME_RINVSUBREP", 0x43: "ESME_RINVESMCLASS", 0x44: "ESME_RCNTSUBDL",
	0x45: "ESME_RSUBMITFAIL", 0x48: "ESME_RINVSRCTON", 0x49: "ESME_RINVSRCNPI", 0x50: "ESME_RINVDSTTON", 0x51: "ESME_RINVDSTNPI",
	0x53: "ESME_RINVSYSTYP", 0x54: "ESME_RINVREPFLAG", 0x55: "ESME_RINVNUMMSGS", 0x58: "ESME_RTHROTTLED", 0x61: "ESME_RINVSCHED",
	0x62: "ESME_RINVEXPIRY", 0x63: "ESME_RINVDFTMSGID", 0x64: "ESME_RX_T_APPN", 0x65: "ESME_RX_P_APPN", 0x66: "ESME_RX_R_APPN",
	0x67: "ESME_RQUERYFAIL", 0xC0: "ESME_RINVOPTPARSTREAM", 0xC1: "ESME_ROPTPARNOTALLWD", 0xC2: "ESME_RINVPARLEN",
	0xC3: "ESME_RMISSINGOPTPARAM", 0xC4: "ESME_RINVOPTPARAMVAL", 0xFE: "ESME_RDELIVERYFAILURE", 0xFF: "ESME_RUNKNOWNERR",
}

// StatusName is a status as SMPP names it; a vendor's own is VENDOR, so that the
// names stay few.
func StatusName(s pdu.Status) string { return cmp.Or(names[s], "VENDOR") }

// The three ways in which an operation ends without success.
var (
	// ErrNotSent says that the request was never written: it may be repeated.
	ErrNotSent = errors.New("not sent")
	// ErrUnknown says that the request was written, wholly or partly, and not
	// answered: the peer may have acted on it or not.
	ErrUnknown = errors.New("sent, fate unknown")
)

// Rejected is the peer's refusal of an operation.
type Rejected struct{ Status pdu.Status }

// Error gives the status in words and as SMPP's number.
func (r *Rejected) Error() string {
	return fmt.Sprintf("rejected: %s (0x%02X)", r.Status.Error(), uint32(r.Status))
}

// retry says how a refusal of submit_sm is met: the first wait, doubled while it
// goes on; whether the whole bind waits; and after how many attempts it is final
// (0: never, the message's validity ends it).
type retry struct {
	after    time.Duration
	pause    bool
	attempts int
}

// retries are the refusals that pass. Every other status is final.
var retries = map[pdu.Status]retry{
	StatusThrottled:   {after: time.Second, pause: true},
	StatusQueueFull:   {after: 2 * time.Second, pause: true},
	StatusSystemError: {after: 5 * time.Second, attempts: 5},
	StatusTemporary:   {after: 5 * time.Second, attempts: 5},
	StatusNotBound:    {after: time.Second},
}
