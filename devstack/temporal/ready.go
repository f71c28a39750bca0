package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"time"

	"go.temporal.io/api/operatorservice/v1"
	"go.temporal.io/api/workflowservice/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
)

const (
	readyPoll    = 20 * time.Millisecond
	probeTimeout = time.Second
)

// waitReady returns when a client would succeed: the frontend knows the namespace and
// every search attribute of a ticket, a query over them runs, and the UI passes a call on.
func waitReady(ctx context.Context, frontend, ui string) error {
	conn, err := grpc.NewClient(frontend, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return fmt.Errorf("connect to the frontend: %w", err)
	}
	defer conn.Close()
	if err := poll(ctx, func() error { return probeFrontend(ctx, conn) }); err != nil {
		return fmt.Errorf("the frontend does not answer: %w", err)
	}
	if err := poll(ctx, func() error { return probeUI(ctx, ui) }); err != nil {
		return fmt.Errorf("the UI does not answer: %w", err)
	}
	return nil
}

func poll(ctx context.Context, probe func() error) error {
	ticker := time.NewTicker(readyPoll)
	defer ticker.Stop()
	for {
		err := probe()
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return err
		case <-ticker.C:
		}
	}
}

func probeFrontend(ctx context.Context, conn *grpc.ClientConn) error {
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	attributes, err := operatorservice.NewOperatorServiceClient(conn).ListSearchAttributes(ctx,
		&operatorservice.ListSearchAttributesRequest{Namespace: namespace})
	if err != nil {
		return err
	}
	for _, attribute := range searchAttributes {
		if attributes.CustomAttributes[attribute.name] != attribute.kind {
			return fmt.Errorf("search attribute %s is not visible", attribute.name)
		}
	}
	_, err = workflowservice.NewWorkflowServiceClient(conn).CountWorkflowExecutions(ctx,
		&workflowservice.CountWorkflowExecutionsRequest{Namespace: namespace, Query: `TicketStatus = "new"`})
	return err
}

func probeUI(ctx context.Context, ui string) error {
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, ui+"/api/v1/namespaces/"+namespace, nil)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	_, _ = io.Copy(io.Discard, response.Body)
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("status %s", response.Status)
	}
	return nil
}
