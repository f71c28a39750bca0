package sms

import (
	"slices"
	"strconv"
	"strings"

	"github.com/nyaruka/phonenumbers"
)

// Type of number and numbering plan (SMPP 3.4, 5.2.5 and 5.2.6).
const (
	tonInternational = 0x01
	tonNational      = 0x02
	tonAlphanumeric  = 0x05
	npiISDN          = 0x01
)

// longestShortCode is the number of digits up to which a number without a
// country is a short code.
const longestShortCode = 6

// normalise returns the E.164 form of an address and whether it can be answered.
// Short codes and names come back as they are: taken for national numbers they
// would turn into somebody else's.
func normalise(a Address, region string) (string, bool) {
	digits := strings.Trim(a.Digits, " ")
	if a.TON == tonAlphanumeric || digits == "" || strings.IndexFunc(digits, isLetter) >= 0 {
		return a.Digits, false
	}
	if a.TON == tonInternational && !strings.HasPrefix(digits, "+") {
		digits = "+" + strings.TrimPrefix(digits, "00")
	}
	if !strings.HasPrefix(digits, "+") && len(digits) <= longestShortCode {
		return a.Digits, false
	}
	candidates := []string{digits, "+" + digits}
	if digits[0] == '+' {
		candidates = candidates[:1]
	} else if a.TON != tonNational && digits[0] != '0' && phonenumbers.GetNddPrefixForRegion(region, true) == "0" {
		// Where national numbers begin with a 0, what does not begins with a country.
		home := strconv.Itoa(phonenumbers.GetCountryCodeForRegion(region))
		if strings.HasPrefix(digits, home) && isE164("+"+digits) {
			return "+" + digits, true
		}
		slices.Reverse(candidates)
	}
	for _, candidate := range candidates {
		if n, err := phonenumbers.Parse(candidate, region); err == nil && phonenumbers.IsValidNumber(n) {
			return phonenumbers.Format(n, phonenumbers.E164), true
		}
	}
	if isE164(digits) { // ranges kept for examples, and those younger than the tables
		return digits, true
	}
	return a.Digits, false
}

func isLetter(r rune) bool { return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r > 0x7F }

func isE164(s string) bool {
	if len(s) < 8 || len(s) > 16 || s[0] != '+' || s[1] == '0' {
		return false
	}
	return strings.IndexFunc(s[1:], func(r rune) bool { return r < '0' || r > '9' }) < 0
}

// NumberAddress is the wire form of an E.164 number; a short code or a name
// gets the type that fits it.
func NumberAddress(number string) Address {
	switch {
	case strings.HasPrefix(number, "+"):
		return Address{TON: tonInternational, NPI: npiISDN, Digits: number[1:]}
	case strings.IndexFunc(number, isLetter) >= 0:
		return Address{TON: tonAlphanumeric, Digits: number}
	}
	return Address{NPI: npiISDN, Digits: number}
}
