package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"time"

	enums "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/operatorservice/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/contrib/envconfig"
	"go.temporal.io/sdk/interceptor"
	temporallog "go.temporal.io/sdk/log"
	"google.golang.org/protobuf/types/known/durationpb"

	"deskbell/config"
	"deskbell/workflows"
)

// engine is the workflow engine as the environment names it.
type engine struct {
	client.Client
	address   string
	namespace string
}

// firstContact is how long a process waits for an engine before it goes on without.
const firstContact = 2 * time.Second

// newEngine connects, or, if the engine is not there, does so when it is first used. What
// the SDK learns at the first contact it reads without a lock (v1.50): so that is made
// here, while nobody else calls.
func newEngine(ctx context.Context, c config.Config, log *slog.Logger, with ...interceptor.ClientInterceptor) (engine, error) {
	options, err := envconfig.LoadDefaultClientOptions()
	if err != nil {
		return engine{}, fmt.Errorf("read the TEMPORAL_ variables: %w", err)
	}
	options.HostPort = cmp.Or(c.TemporalAddress, options.HostPort, client.DefaultHostPort)
	options.Namespace = cmp.Or(options.Namespace, client.DefaultNamespace)
	options.Interceptors = append(options.Interceptors, with...)
	// Requests are a few kB. Zipping and unzipping them costs a twentieth of the CPU of
	// both sides, on a network that does not notice them.
	options.ConnectionOptions.GrpcCompression = &client.GrpcCompressionNone{}
	options.Logger = temporallog.NewStructuredLogger(log)
	dialing, cancel := context.WithTimeout(ctx, firstContact)
	defer cancel()
	connected, err := client.DialContext(dialing, options)
	if err != nil {
		connected, err = client.NewLazyClient(options)
	}
	if err != nil {
		return engine{}, fmt.Errorf("TEMPORAL_ADDRESS: %w", err)
	}
	return engine{Client: connected, address: options.HostPort, namespace: options.Namespace}, nil
}

// retention of closed tickets' histories in a namespace that we register. Their
// final state is in PostgreSQL.
const retention = 30 * 24 * time.Hour

// Patience of prepare with an engine that is just starting.
const (
	enginePatience = 2 * time.Minute
	enginePoll     = 500 * time.Millisecond
)

// prepare registers the namespace and the search attributes that are missing. It
// waits for an engine that is not up yet, and until the attributes are listed.
func (e engine) prepare(ctx context.Context, log *slog.Logger) error {
	ctx, cancel := context.WithTimeout(ctx, enginePatience)
	defer cancel()
	for {
		ready, err := e.prepareOnce(ctx, log)
		if ready {
			return nil
		}
		if err != nil {
			log.WarnContext(ctx, "the engine is not prepared yet", slog.Any("error", err))
		}
		if _, forbidden := errors.AsType[*serviceerror.PermissionDenied](err); forbidden {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("temporal at %s: %w", e.address, cmp.Or(err, ctx.Err()))
		case <-time.After(enginePoll):
		}
	}
}

func (e engine) prepareOnce(ctx context.Context, log *slog.Logger) (ready bool, err error) {
	missing, err := e.missingAttributes(ctx)
	if _, unknown := errors.AsType[*serviceerror.NamespaceNotFound](err); unknown {
		_, err = e.WorkflowService().RegisterNamespace(ctx, &workflowservice.RegisterNamespaceRequest{
			Namespace: e.namespace, Description: "Tickets", WorkflowExecutionRetentionPeriod: durationpb.New(retention),
		})
		if _, exists := errors.AsType[*serviceerror.NamespaceAlreadyExists](err); err == nil || exists {
			log.InfoContext(ctx, "namespace registered", slog.String("namespace", e.namespace))
			return false, nil // it takes a moment until every service knows it
		}
	}
	if err != nil || len(missing) == 0 {
		return err == nil, err
	}
	_, err = e.OperatorService().AddSearchAttributes(ctx, &operatorservice.AddSearchAttributesRequest{Namespace: e.namespace, SearchAttributes: missing})
	if _, exists := errors.AsType[*serviceerror.AlreadyExists](err); err != nil && !exists {
		return false, fmt.Errorf("register search attributes: %w", err)
	}
	log.InfoContext(ctx, "search attributes registered", slog.String("names", strings.Join(slices.Sorted(maps.Keys(missing)), ",")))
	return false, nil
}

// missingAttributes are the search attributes of a ticket that the namespace lacks.
// One of the right name and another type is an error.
func (e engine) missingAttributes(ctx context.Context) (map[string]enums.IndexedValueType, error) {
	have, err := e.OperatorService().ListSearchAttributes(ctx, &operatorservice.ListSearchAttributesRequest{Namespace: e.namespace})
	if err != nil {
		return nil, fmt.Errorf("list search attributes: %w", err)
	}
	missing := map[string]enums.IndexedValueType{}
	for _, key := range workflows.SearchAttributes() {
		kind, ok := have.CustomAttributes[key.GetName()]
		if !ok {
			missing[key.GetName()] = key.GetValueType()
		} else if kind != key.GetValueType() {
			return nil, fmt.Errorf("search attribute %s is of type %s, want %s: remove it and run deskbell migrate", key.GetName(), kind, key.GetValueType())
		}
	}
	return missing, nil
}
