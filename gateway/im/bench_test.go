package im

import (
	"fmt"
	"testing"
)

// BenchmarkDoorbell is the time from a person's message to the inbox, with so many
// messages in the archive already.
func BenchmarkDoorbell(b *testing.B) {
	for _, size := range []int{0, 5000} {
		b.Run(fmt.Sprint("archive=", size), func(b *testing.B) {
			p := startProsody(b)
			alice := p.login("alice", "phone")
			for i := range size {
				alice.say("an older message")
				if i%100 == 99 {
					alice.ping()
				}
			}
			alice.ping()
			d := newDesk(b, p, p.addr)
			d.run()
			kept := 0
			for b.Loop() {
				alice.say("take 142")
				kept++
				d.awaitKept(kept)
			}
		})
	}
}
