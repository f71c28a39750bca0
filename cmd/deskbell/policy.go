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
	changed := 0
	var failed []error
	for _, n := range numbers {
		path := "/v1/tickets/" + strconv.Itoa(n)
		var before, after struct{ Version int }
		r := c.remote
		r.JSON = false
		err := r.call(ctx, "GET", path, nil, &before)
		if err == nil {
			err = c.call(ctx, "POST", path+"/replan", struct{}{}, &after)
		}
		if err != nil {
			failed = append(failed, fmt.Errorf("#%d: %w", n, err))
			continue
		}
		if after.Version != before.Version {
			changed++
		}
	}
	if !c.JSON {
		fmt.Printf("%d of %d tickets have another policy now\n", changed, len(numbers))
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
