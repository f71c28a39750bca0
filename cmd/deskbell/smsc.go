package main

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"os"
	"strings"

	"deskbell/config"
	"deskbell/devstack/smsc"
	"deskbell/roster"
)

// smscCmd runs the development SMSC by itself. Its account is the one that the role
// sms reads.
type smscCmd struct {
	State string `required:"" help:"Folder that keeps the messages." type:"path"`
	HTTP  string `default:":8090" help:"Where the page of phones listens."`
}

func (c smscCmd) Run(ctx context.Context, log *slog.Logger) error {
	env, err := config.Load(func(name string) string {
		if name == "DATABASE_URL" {
			return cmp.Or(os.Getenv(name), "postgres://unused/")
		}
		return os.Getenv(name)
	}, []string{config.SMS})
	if err != nil {
		return err
	}
	account := env.SMSCs[0]
	people := demoPeople()
	if env.PeopleFile != "" {
		if people, err = config.People(env.PeopleFile); err != nil {
			return fmt.Errorf("DESKBELL_PEOPLE_FILE: %w", err)
		}
	}
	server, err := smsc.Start(ctx, smsc.Config{
		Dir: c.State, SMPPAddr: account.Addr, HTTPAddr: c.HTTP, SystemID: account.SystemID, Password: account.Password.Reveal(),
		Number: "+" + strings.TrimPrefix(account.Source, "+"), People: phonesOf(people), Log: log,
	})
	if err != nil {
		return err
	}
	<-ctx.Done()
	stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopIn)
	defer cancel()
	return server.Stop(stop)
}

func phonesOf(people roster.File) (phones []smsc.Phone) {
	for _, p := range people.People {
		if p.Phone != "" {
			phones = append(phones, smsc.Phone{Number: p.Phone, Name: p.Name, Role: string(p.Roles[0])})
		}
	}
	return phones
}
