package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strconv"

	"deskbell/config"
)

type policyCmd struct {
	Check policyCheckCmd `cmd:"" help:"Check a policy file and print it in plain words."`
	Apply policyApplyCmd `cmd:"" help:"Bring running tickets to the policy that the desk runs with."`
}

type policyCheckCmd struct {
	File string `arg:"" help:"Policy file (YAML)." type:"existingfile"`
}

func (c policyCheckCmd) Run() error {
	p, err := config.Policy(c.File)
	if err != nil {
		return err
	}
	fmt.Print(p)
	return nil
}

type policyApplyCmd struct {
	remote  `embed:""`
	Tickets string `default:"open" help:"A ticket's number, or open for all that are not solved."`
}

func (c policyApplyCmd) Run(ctx context.Context) error {
	numbers, err := c.numbers(ctx)
	if err != nil {
		return err
	}
	var failed []error
	for _, n := range numbers {
		var t ticketView
		if err := c.call(ctx, "POST", "/v1/tickets/"+strconv.Itoa(n)+"/replan", struct{}{}, &t); err != nil {
			failed = append(failed, fmt.Errorf("#%d: %w", n, err))
		}
	}
	if !c.JSON {
		fmt.Printf("%d tickets run by the present policy\n", len(numbers)-len(failed))
	}
	return errors.Join(failed...)
}

// numbers are the tickets that are meant.
func (c policyApplyCmd) numbers(ctx context.Context) ([]int, error) {
	if c.Tickets != "open" {
		n, err := strconv.Atoi(c.Tickets)
		if err != nil {
			return nil, fmt.Errorf("--tickets %q: give a number, or open", c.Tickets)
		}
		return []int{n}, nil
	}
	r := c.remote
	r.JSON = false
	var numbers []int
	for _, status := range []string{"new", "assigned", "pending"} {
		query := url.Values{"status": {status}}
		for {
			var page struct {
				Tickets []ticketView
				Next    string
			}
			if err := r.call(ctx, "GET", "/v1/tickets?"+query.Encode(), nil, &page); err != nil {
				return nil, err
			}
			for _, t := range page.Tickets {
				numbers = append(numbers, t.Number)
			}
			if page.Next == "" {
				break
			}
			query.Set("cursor", page.Next)
		}
	}
	return numbers, nil
}
