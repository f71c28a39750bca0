package chaos

import (
	"encoding/binary"
	"slices"
	"sync/atomic"
	"time"

	"github.com/Shopify/toxiproxy/v2/stream"
	"github.com/Shopify/toxiproxy/v2/toxics"
	"github.com/fiorix/go-smpp/smpp/pdu"

	"deskbell/gateway/sms"
)

func init() { toxics.Register("pdus", new(shuffle)) }

// How many PDUs went through a shuffle, by what was done to them.
var turned, doubled atomic.Int64

// shuffle is a link that brings whole PDUs twice and in the wrong order: what comes
// within a moment leaves last first, then every second one of it again.
type shuffle struct{}

// within is long enough for a response and the receipt of its message to meet.
const within = 10 * time.Millisecond

// Pipe is for links that begin with it, so that its frames are the link's.
func (*shuffle) Pipe(stub *toxics.ToxicStub) {
	var octets []byte
	var frames [][]byte
	var timer <-chan time.Time
	send := func(data ...[]byte) {
		for _, d := range data {
			stub.Output <- &stream.StreamChunk{Data: d, Timestamp: time.Now()}
		}
	}
	for {
		select {
		case <-stub.Interrupt:
			send(append(frames, octets)...)
			return
		case c := <-stub.Input:
			if c == nil {
				send(append(frames, octets)...)
				stub.Close()
				return
			}
			octets = append(octets, c.Data...)
			for len(octets) >= pdu.HeaderLen {
				length := int(binary.BigEndian.Uint32(octets))
				if length < pdu.HeaderLen || length > sms.MaxFrame { // begun in the middle of one
					length = len(octets)
				}
				if len(octets) < length {
					break
				}
				frames, octets = append(frames, slices.Clone(octets[:length])), octets[length:]
			}
			if timer == nil {
				timer = time.After(within)
			}
		case <-timer:
			timer = nil
			slices.Reverse(frames)
			send(frames...)
			if len(frames) > 1 {
				turned.Add(int64(len(frames)))
			}
			for i := 0; i < len(frames); i += 2 {
				send(frames[i])
				doubled.Add(1)
			}
			frames = nil
		}
	}
}
