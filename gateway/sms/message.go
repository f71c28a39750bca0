package sms

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/fiorix/go-smpp/smpp/pdu"
	"github.com/fiorix/go-smpp/smpp/pdu/pdufield"
	"github.com/fiorix/go-smpp/smpp/pdu/pdutlv"
)

// Bits of esm_class (SMPP 3.4, 5.2.12).
const (
	esmReceipt      = 0x04
	esmIntermediate = 0x20
	esmUDH          = 0x40
)

// maxShort is the largest short_message, in octets; what is longer travels as
// message_payload.
const maxShort = 254

// Address is a party of a short message as it stands on the wire.
type Address struct {
	TON, NPI byte
	Digits   string
}

// ShortMessage is what submit_sm, deliver_sm and data_sm carry.
type ShortMessage struct {
	Source, Dest Address
	ESMClass     byte // the UDH bit follows from UDH
	Priority     byte
	Registered   byte
	Coding       byte
	Validity     string // SMPP time, absolute or relative; empty for the SMSC's default
	UDH          []byte // information elements, without the length octet
	Body         []byte
	TLVs         pdutlv.Map
}

// PDU returns the message as the given operation. It refuses what would not
// arrive as it was meant: an address that is too long or holds a NUL.
func (m ShortMessage) PDU(id pdu.ID) (PDU, error) {
	for _, field := range []struct {
		text string
		max  int
	}{{m.Source.Digits, 20}, {m.Dest.Digits, 20}, {m.Validity, 16}} {
		if len(field.text) > field.max || strings.ContainsRune(field.text, 0) {
			return PDU{}, errors.New("address or time too long or with a NUL")
		}
	}
	esm, data := m.ESMClass&^esmUDH, m.Body
	if len(m.UDH) > 0 {
		esm |= esmUDH
		data = append(append([]byte{byte(len(m.UDH))}, m.UDH...), m.Body...)
	}
	p := PDU{ID: id, Fields: pdufield.Map{}, TLVs: pdutlv.Map{}}
	for tag, value := range m.TLVs {
		p.TLVs[tag] = value
	}
	for name, value := range map[pdufield.Name]any{
		pdufield.SourceAddrTON: m.Source.TON, pdufield.SourceAddrNPI: m.Source.NPI, pdufield.SourceAddr: m.Source.Digits,
		pdufield.DestAddrTON: m.Dest.TON, pdufield.DestAddrNPI: m.Dest.NPI, pdufield.DestinationAddr: m.Dest.Digits,
		pdufield.ESMClass: esm, pdufield.PriorityFlag: m.Priority, pdufield.ValidityPeriod: m.Validity,
		pdufield.RegisteredDelivery: m.Registered, pdufield.DataCoding: m.Coding,
	} {
		if err := p.Fields.Set(name, value); err != nil {
			return PDU{}, err
		}
	}
	if id == pdu.DataSMID || len(data) > maxShort {
		if len(data) > MaxFrame-1024 {
			return PDU{}, errors.New("message too long")
		}
		return p, p.TLVs.Set(pdutlv.TagMessagePayload, data)
	}
	return p, p.Fields.Set(pdufield.ShortMessage, data)
}

// ParseShortMessage reads a submit_sm, deliver_sm or data_sm. The result owns
// its memory.
func ParseShortMessage(p PDU) (ShortMessage, error) {
	m := ShortMessage{
		Source:     Address{p.octet(pdufield.SourceAddrTON), p.octet(pdufield.SourceAddrNPI), p.Text(pdufield.SourceAddr)},
		Dest:       Address{p.octet(pdufield.DestAddrTON), p.octet(pdufield.DestAddrNPI), p.Text(pdufield.DestinationAddr)},
		ESMClass:   p.octet(pdufield.ESMClass),
		Priority:   p.octet(pdufield.PriorityFlag),
		Registered: p.octet(pdufield.RegisteredDelivery),
		Coding:     p.octet(pdufield.DataCoding),
		Validity:   p.Text(pdufield.ValidityPeriod),
		TLVs:       p.TLVs,
	}
	data, ok := m.tlv(pdutlv.TagMessagePayload)
	if f := p.Fields[pdufield.ShortMessage]; !ok && f != nil {
		data = f.Bytes()
	}
	data = append([]byte(nil), data...)
	if m.ESMClass&esmUDH == 0 {
		m.Body = data
		return m, nil
	}
	if len(data) == 0 || len(data) < 1+int(data[0]) {
		return m, fmt.Errorf("%w: user data header", ErrTruncated)
	}
	m.UDH, m.Body = data[1:1+data[0]], data[1+data[0]:]
	return m, nil
}

func (m ShortMessage) tlv(tag pdutlv.Tag) ([]byte, bool) {
	if f := m.TLVs[tag]; f != nil {
		return f.Bytes(), true
	}
	return nil, false
}

// Concat tells the place of a message in a longer one, from its header (8 or 16
// bit reference) or its sar parameters. What makes no sense (part 0, part 4 of
// 3, one of one) is a message of its own.
func (m ShortMessage) Concat() (ref uint16, number, total int, ok bool) {
	for udh := m.UDH; len(udh) >= 2 && len(udh) >= 2+int(udh[1]); udh = udh[2+int(udh[1]):] {
		switch v := udh[2 : 2+int(udh[1])]; {
		case udh[0] == 0x00 && len(v) == 3:
			return placed(uint16(v[0]), v[2], v[1])
		case udh[0] == 0x08 && len(v) == 4:
			return placed(binary.BigEndian.Uint16(v), v[3], v[2])
		}
	}
	r, _ := m.tlv(pdutlv.TagSarMsgRefNum)
	n, _ := m.tlv(pdutlv.TagSarSegmentSeqnum)
	t, _ := m.tlv(pdutlv.TagSarTotalSegments)
	if len(r) != 2 || len(n) != 1 || len(t) != 1 {
		return 0, 0, 0, false
	}
	return placed(binary.BigEndian.Uint16(r), n[0], t[0])
}

func placed(ref uint16, number, total byte) (uint16, int, int, bool) {
	return ref, int(number), int(total), number >= 1 && number <= total && total >= 2
}

// ConcatUDH is the 8-bit reference header: six octets with its length, so that
// 153 septets or 67 UTF-16 units are left.
func ConcatUDH(ref byte, number, total int) []byte {
	return []byte{0x00, 0x03, ref, byte(total), byte(number)}
}

// RelativeTime writes a period as SMPP's relative time, to the second. It is at
// least a second and at most 30 days; SMSCs cut far below that.
func RelativeTime(d time.Duration) string {
	s := int(min(max(d, time.Second), 30*24*time.Hour) / time.Second)
	return fmt.Sprintf("0000%02d%02d%02d%02d000R", s/86400, s/3600%24, s/60%60, s%60)
}

// AbsoluteTime writes a time as SMPP's absolute time in UTC, to a tenth of a
// second.
func AbsoluteTime(t time.Time) string {
	t = t.UTC()
	return t.Format("060102150405") + fmt.Sprintf("%d00+", t.Nanosecond()/1e8)
}

// ParseTime reads an SMPP time, absolute or relative to now.
func ParseTime(text string, now time.Time) (time.Time, error) {
	if len(text) != 16 || strings.Trim(text[:15], "0123456789") != "" {
		return time.Time{}, errors.New("not an SMPP time: 15 digits and a sign")
	}
	var tenth, quarters int
	if _, err := fmt.Sscanf(text[12:15], "%1d%2d", &tenth, &quarters); err != nil {
		return time.Time{}, fmt.Errorf("not an SMPP time: %w", err)
	}
	switch text[15] {
	case 'R':
		var y, mo, d, h, mi, s int
		if _, err := fmt.Sscanf(text[:12], "%2d%2d%2d%2d%2d%2d", &y, &mo, &d, &h, &mi, &s); err != nil {
			return time.Time{}, fmt.Errorf("not an SMPP time: %w", err)
		}
		return now.AddDate(y, mo, d).Add(time.Duration(h)*time.Hour + time.Duration(mi)*time.Minute + time.Duration(s)*time.Second), nil
	case '+', '-':
		t, err := time.Parse("060102150405", text[:12])
		if err != nil {
			return time.Time{}, fmt.Errorf("not an SMPP time: %w", err)
		}
		offset := time.Duration(quarters) * 15 * time.Minute
		if text[15] == '-' {
			offset = -offset
		}
		return t.Add(time.Duration(tenth)*100*time.Millisecond - offset), nil
	}
	return time.Time{}, errors.New("not an SMPP time: no sign")
}
