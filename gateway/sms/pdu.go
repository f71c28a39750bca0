// Package sms is the SMS gateway: an SMPP 3.4 session, a supervisor that keeps
// it bound, a router over several SMSCs, and what turns short messages into gateway messages and back. The
// octets are go-smpp's; the session is ours, because a message may be
// acknowledged only after it was kept and only on the link it came on. The
// development SMSC uses the same framing from the other side. The package must
// not know tickets, people, commands or the store.
package sms

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"

	"github.com/fiorix/go-smpp/smpp/pdu"
	"github.com/fiorix/go-smpp/smpp/pdu/pdufield"
	"github.com/fiorix/go-smpp/smpp/pdu/pdutlv"
)

// Limits of a frame, in octets. A message_payload may be 64 KiB by its length
// field; what is larger than a frame is skipped, what is larger than the skip
// limit is no SMPP.
const (
	MaxFrame  = 64 << 10
	skipLimit = 16 << 20
	respBit   = pdu.ID(0x80000000)
)

// Errors of the framing and the codec.
var (
	// ErrTooLarge says that one frame was skipped; the link is still in step.
	ErrTooLarge = errors.New("frame larger than 64 KiB")
	// ErrFraming says that the peer does not speak SMPP; the link cannot go on.
	ErrFraming = errors.New("impossible command_length")
	// ErrUnknownCommand says that a frame has a command_id this codec lacks.
	ErrUnknownCommand = errors.New("unknown command_id")
	// ErrTruncated says that a request lacks mandatory fields.
	ErrTruncated = errors.New("mandatory field missing")
)

// PDU is one SMPP operation, decoded. A received PDU's fields share the memory
// of their frame.
type PDU struct {
	ID     pdu.ID
	Status pdu.Status
	Seq    uint32
	Fields pdufield.Map
	TLVs   pdutlv.Map
}

// Response returns an empty response to a request, or a generic_nack where the
// command is unknown.
func (p PDU) Response(status pdu.Status) PDU {
	id := p.ID | respBit
	if _, known := layout(id); !known {
		id = pdu.GenericNACKID
	}
	return PDU{ID: id, Status: status, Seq: p.Seq}
}

// Text returns a field's text, empty when the field is absent.
func (p PDU) Text(name pdufield.Name) string {
	if f := p.Fields[name]; f != nil {
		return f.String()
	}
	return ""
}

func (p PDU) octet(name pdufield.Name) byte {
	if f, ok := p.Fields[name].(*pdufield.Fixed); ok {
		return f.Data
	}
	return 0
}

var (
	bindFields  = pdu.NewBindTransceiver().FieldList()
	shortFields = pdu.NewSubmitSM(nil).FieldList() // deliver_sm is the same; its UDH stays in short_message
	idField     = pdufield.List{pdufield.MessageID}
	dataFields  = pdufield.List{
		pdufield.ServiceType,
		pdufield.SourceAddrTON, pdufield.SourceAddrNPI, pdufield.SourceAddr,
		pdufield.DestAddrTON, pdufield.DestAddrNPI, pdufield.DestinationAddr,
		pdufield.ESMClass, pdufield.RegisteredDelivery, pdufield.DataCoding,
	}
)

// layout is the order of an operation's mandatory fields.
func layout(id pdu.ID) (pdufield.List, bool) {
	switch id {
	case pdu.BindReceiverID, pdu.BindTransmitterID, pdu.BindTransceiverID:
		return bindFields, true
	case pdu.BindReceiverRespID, pdu.BindTransmitterRespID, pdu.BindTransceiverRespID:
		return pdufield.List{pdufield.SystemID}, true
	case pdu.SubmitSMID, pdu.DeliverSMID:
		return shortFields, true
	case pdu.DataSMID:
		return dataFields, true
	case pdu.SubmitSMRespID, pdu.DeliverSMRespID, pdu.DataSMRespID:
		return idField, true
	case pdu.GenericNACKID, pdu.UnbindID, pdu.UnbindRespID, pdu.EnquireLinkID, pdu.EnquireLinkRespID:
		return nil, true
	}
	return nil, false
}

// ReadFrame reads one frame of r by its command_length. After ErrTooLarge the
// frame holds the header alone and the next call reads the next frame; any other
// error ends the link.
func ReadFrame(r io.Reader) ([]byte, error) {
	header := make([]byte, pdu.HeaderLen)
	if _, err := io.ReadFull(r, header); err != nil {
		return nil, err
	}
	length := int64(binary.BigEndian.Uint32(header))
	switch {
	case length < pdu.HeaderLen || length > skipLimit:
		return nil, fmt.Errorf("%w: %d", ErrFraming, length)
	case length > MaxFrame:
		if _, err := io.CopyN(io.Discard, r, length-pdu.HeaderLen); err != nil {
			return nil, err
		}
		return header, ErrTooLarge
	}
	frame := make([]byte, length)
	copy(frame, header)
	_, err := io.ReadFull(r, frame[pdu.HeaderLen:])
	return frame, err
}

// Decode decodes one frame. The header of the result is set even with an error,
// so that the frame can be answered.
func Decode(frame []byte) (PDU, error) {
	if len(frame) < pdu.HeaderLen {
		return PDU{}, ErrFraming
	}
	p := PDU{
		ID:     pdu.ID(binary.BigEndian.Uint32(frame[4:])),
		Status: pdu.Status(binary.BigEndian.Uint32(frame[8:])),
		Seq:    binary.BigEndian.Uint32(frame[12:]),
	}
	list, known := layout(p.ID)
	if !known {
		return p, fmt.Errorf("%w: %#x", ErrUnknownCommand, uint32(p.ID))
	}
	body := bytes.NewBuffer(frame[pdu.HeaderLen:])
	var err error
	if p.Fields, err = list.Decode(body); err != nil {
		return p, fmt.Errorf("fields: %w", err)
	}
	if p.ID&respBit == 0 {
		for _, name := range list {
			if p.Fields[name] == nil {
				return p, fmt.Errorf("%w: %s", ErrTruncated, name)
			}
		}
	}
	if p.TLVs, err = pdutlv.DecodeTLV(body); err != nil {
		return p, fmt.Errorf("optional parameters: %w", err)
	}
	return p, nil
}

// Encode returns the frame of p. A response that refuses has no body.
func Encode(p PDU) ([]byte, error) {
	list, known := layout(p.ID)
	if !known {
		return nil, fmt.Errorf("%w: %#x", ErrUnknownCommand, uint32(p.ID))
	}
	var b bytes.Buffer
	b.Write(make([]byte, pdu.HeaderLen))
	if p.Status == 0 || p.ID&respBit == 0 || p.ID == pdu.DeliverSMRespID {
		for _, name := range list {
			f := p.Fields[name]
			if f == nil {
				f = pdufield.New(name, nil)
			}
			if v, ok := f.(*pdufield.Variable); ok {
				// The library appends the NUL to the field's own memory, which another
				// goroutine may be encoding too.
				b.WriteString(v.String())
				b.WriteByte(0)
				continue
			}
			if err := f.SerializeTo(&b); err != nil {
				return nil, err
			}
		}
	}
	for _, tag := range slices.Sorted(maps.Keys(p.TLVs)) {
		if err := p.TLVs[tag].SerializeTo(&b); err != nil {
			return nil, err
		}
	}
	frame := b.Bytes()
	binary.BigEndian.PutUint32(frame, uint32(len(frame)))
	binary.BigEndian.PutUint32(frame[4:], uint32(p.ID))
	binary.BigEndian.PutUint32(frame[8:], uint32(p.Status))
	binary.BigEndian.PutUint32(frame[12:], p.Seq)
	return frame, nil
}
