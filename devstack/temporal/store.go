package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/google/uuid"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	persistencespb "go.temporal.io/server/api/persistence/v1"
	"go.temporal.io/server/common"
	"go.temporal.io/server/common/config"
	"go.temporal.io/server/common/log"
	"go.temporal.io/server/common/metrics"
	"go.temporal.io/server/common/persistence"
	persistenceclient "go.temporal.io/server/common/persistence/client"
	"go.temporal.io/server/common/persistence/serialization"
	"go.temporal.io/server/common/resolver"
	"go.temporal.io/server/common/searchattribute/sadefs"
	"go.temporal.io/server/common/telemetry"
	"go.temporal.io/server/temporal"
	"go.temporal.io/server/tools/common/schema"
	"go.temporal.io/server/tools/sql"
	"google.golang.org/protobuf/types/known/durationpb"
)

const retention = 30 * 24 * time.Hour

// searchAttributes of a ticket, in the order in which they take the visibility store's
// columns.
var searchAttributes = []struct {
	name string
	kind enumspb.IndexedValueType
}{
	{"TicketStatus", enumspb.INDEXED_VALUE_TYPE_KEYWORD},
	{"TicketAssignee", enumspb.INDEXED_VALUE_TYPE_KEYWORD},
	{"TicketGroup", enumspb.INDEXED_VALUE_TYPE_KEYWORD},
	{"TicketChannel", enumspb.INDEXED_VALUE_TYPE_KEYWORD},
	{"TicketPriority", enumspb.INDEXED_VALUE_TYPE_INT},
	{"TicketEscalation", enumspb.INDEXED_VALUE_TYPE_INT},
	{"TicketDue", enumspb.INDEXED_VALUE_TYPE_DATETIME},
}

// setupStore brings databases, schemas, namespace and search attributes to the state the
// server expects; what is there already stays. It runs before the services start, so that
// none of their caches can hold an older namespace.
func setupStore(ctx context.Context, cfg *config.Config, logger log.Logger) error {
	schemas := map[string]string{
		"main":       "postgresql/v12/temporal",
		"visibility": "postgresql/v12/visibility",
	}
	for store, name := range schemas {
		if err := setupSchema(*cfg.Persistence.DataStores[store].SQL, name, logger); err != nil {
			return fmt.Errorf("schema of the %s store: %w", store, err)
		}
	}
	if err := setupNamespace(ctx, &cfg.Persistence, logger); err != nil {
		return fmt.Errorf("namespace %s: %w", namespace, err)
	}
	return nil
}

func setupSchema(cfg config.SQL, schemaName string, logger log.Logger) error {
	admin := cfg
	if err := sql.DoCreateDatabase(&admin, "postgres", logger); err != nil {
		return fmt.Errorf("create database %s: %w", cfg.DatabaseName, err)
	}
	// Some hundred statements, each a transaction: a crash may lose the last of them, and
	// the next start repeats those.
	cfg.ConnectAttributes = maps.Clone(cfg.ConnectAttributes)
	cfg.ConnectAttributes["synchronous_commit"] = "off"
	conn, err := sql.NewConnection(&cfg, logger)
	if err != nil {
		return err
	}
	defer conn.Close()
	if _, err := conn.ReadSchemaVersion(); err != nil {
		if err := schema.NewSetupSchemaTask(conn, &schema.SetupConfig{InitialVersion: "0.0"}, logger).Run(); err != nil {
			return err
		}
	}
	return schema.NewUpdateSchemaTask(conn, &schema.UpdateConfig{SchemaName: schemaName}, logger).Run()
}

func setupNamespace(ctx context.Context, cfg *config.Persistence, logger log.Logger) error {
	serializer := serialization.NewSerializer()
	stores := persistenceclient.DataStoreFactoryProvider(clusterName, resolver.NewNoopResolver(), cfg, nil,
		logger, metrics.NoopMetricsHandler, telemetry.NoopTracerProvider, serializer)
	factory := temporal.PersistenceFactoryProvider()(persistenceclient.NewFactoryParams{
		DataStoreFactory: stores,
		Cfg:              cfg,
		ClusterName:      clusterName,
		MetricsHandler:   metrics.NoopMetricsHandler,
		Logger:           logger,
		Serializer:       serializer,
	})
	defer factory.Close()
	manager, err := factory.NewMetadataManager()
	if err != nil {
		return err
	}
	defer manager.Close()

	existing, err := manager.GetNamespace(ctx, &persistence.GetNamespaceRequest{Name: namespace})
	var missing *serviceerror.NamespaceNotFound
	switch {
	case errors.As(err, &missing):
		detail := newNamespace()
		if _, err := addSearchAttributes(detail.Config); err != nil {
			return err
		}
		_, err := manager.CreateNamespace(ctx, &persistence.CreateNamespaceRequest{Namespace: detail})
		return err
	case err != nil:
		return err
	}
	changed, err := addSearchAttributes(existing.Namespace.Config)
	if err != nil || !changed {
		return err
	}
	metadata, err := manager.GetMetadata(ctx)
	if err != nil {
		return err
	}
	existing.Namespace.ConfigVersion++
	return manager.UpdateNamespace(ctx, &persistence.UpdateNamespaceRequest{
		Namespace:           existing.Namespace,
		IsGlobalNamespace:   existing.IsGlobalNamespace,
		NotificationVersion: metadata.NotificationVersion,
	})
}

func newNamespace() *persistencespb.NamespaceDetail {
	return &persistencespb.NamespaceDetail{
		Info: &persistencespb.NamespaceInfo{
			Id:          uuid.NewString(),
			Name:        namespace,
			State:       enumspb.NAMESPACE_STATE_REGISTERED,
			Description: "Tickets",
		},
		Config: &persistencespb.NamespaceConfig{
			Retention:               durationpb.New(retention),
			HistoryArchivalState:    enumspb.ARCHIVAL_STATE_DISABLED,
			VisibilityArchivalState: enumspb.ARCHIVAL_STATE_DISABLED,
		},
		ReplicationConfig: &persistencespb.NamespaceReplicationConfig{
			ActiveClusterName: clusterName,
			Clusters:          []string{clusterName},
		},
		FailoverVersion:             common.EmptyVersion,
		FailoverNotificationVersion: -1,
	}
}

// addSearchAttributes gives each attribute that has none yet the first free column of its
// type, and tells whether it changed anything.
func addSearchAttributes(cfg *persistencespb.NamespaceConfig) (bool, error) {
	columns := sadefs.GetDBIndexSearchAttributes(nil).CustomSearchAttributes
	names := slices.Sorted(maps.Keys(columns))
	if cfg.CustomSearchAttributeAliases == nil {
		cfg.CustomSearchAttributeAliases = make(map[string]string)
	}
	aliases := cfg.CustomSearchAttributeAliases
	taken := slices.Collect(maps.Values(aliases))
	changed := false
	for _, attribute := range searchAttributes {
		if slices.Contains(taken, attribute.name) {
			continue
		}
		free := slices.IndexFunc(names, func(column string) bool {
			return columns[column] == attribute.kind && aliases[column] == ""
		})
		if free < 0 {
			return false, fmt.Errorf("no column left for search attribute %s", attribute.name)
		}
		aliases[names[free]] = attribute.name
		changed = true
	}
	return changed, nil
}
