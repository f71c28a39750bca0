package main

import (
	"fmt"
	"math/rand/v2"
	"net"
	"net/url"
	"strconv"

	"github.com/temporalio/ui-server/v2/server"
	uiconfig "github.com/temporalio/ui-server/v2/server/config"
	"github.com/temporalio/ui-server/v2/server/server_options"
	"go.temporal.io/server/common/cluster"
	"go.temporal.io/server/common/config"
	"go.temporal.io/server/common/dynamicconfig"
	"go.temporal.io/server/common/membership/static"
	"go.temporal.io/server/common/persistence/sql/sqlplugin/postgresql"
	"go.temporal.io/server/common/primitives"
)

const (
	localhost = "127.0.0.1"
	namespace = "default"

	clusterName        = "active"
	historyShards      = 4
	mainDatabase       = "temporal"
	visibilityDatabase = "temporal_visibility"

	// Each of the four services opens its own pools: at most 4*(10+4) connections.
	mainConns       = 10
	visibilityConns = 4
)

// dynamicConfig raises the polling limits of the task queues' readers (at the default of
// 20 per second every step of a workflow may wait 50 ms), admits bursts of updates, and
// hands tasks back that a stopping worker had polled. A task queue has one partition,
// not four: with a handful of pollers a task often sits in a partition that nobody
// polls, and is handed on. A workflow that fails again and again is marked after three
// failures, half a minute, and not after five, when a minute is over.
func dynamicConfig(timeSkipping bool) dynamicconfig.StaticClient {
	return dynamicconfig.StaticClient{
		dynamicconfig.TransferProcessorMaxPollRPS.Key():                                1000,
		dynamicconfig.VisibilityProcessorMaxPollRPS.Key():                              1000,
		dynamicconfig.TimerProcessorMaxPollRPS.Key():                                   1000,
		dynamicconfig.WorkflowExecutionMaxInFlightUpdates.Key():                        200,
		dynamicconfig.EnableCancelWorkerPollsOnShutdown.Key():                          true,
		dynamicconfig.MatchingNumTaskqueueReadPartitions.Key():                         1,
		dynamicconfig.MatchingNumTaskqueueWritePartitions.Key():                        1,
		dynamicconfig.NumConsecutiveWorkflowTaskProblemsToTriggerSearchAttribute.Key(): 3,
		dynamicconfig.WorkflowTimeSkippingEnabled.Key():                                timeSkipping,
	}
}

func serverConfig(opts options, password string) (*config.Config, map[primitives.ServiceName]static.Hosts, error) {
	services, hosts, err := localServices(opts.port)
	if err != nil {
		return nil, nil, err
	}
	frontend := net.JoinHostPort(localhost, strconv.Itoa(opts.port))
	return &config.Config{
		Services: services,
		Persistence: config.Persistence{
			DefaultStore:     "main",
			VisibilityStore:  "visibility",
			NumHistoryShards: historyShards,
			DataStores: map[string]config.DataStore{
				"main":       {SQL: sqlConfig(opts.postgres, password, mainDatabase, mainConns)},
				"visibility": {SQL: sqlConfig(opts.postgres, password, visibilityDatabase, visibilityConns)},
			},
		},
		ClusterMetadata: &cluster.Config{
			FailoverVersionIncrement: 10,
			MasterClusterName:        clusterName,
			CurrentClusterName:       clusterName,
			ClusterInformation: map[string]cluster.ClusterInformation{
				clusterName: {Enabled: true, InitialFailoverVersion: 1, RPCAddress: frontend},
			},
		},
		DCRedirectionPolicy: config.DCRedirectionPolicy{Policy: "noop"},
		PublicClient:        config.PublicClient{HostPort: frontend},
		Archival: config.Archival{
			History:    config.HistoryArchival{State: config.ArchivalDisabled},
			Visibility: config.VisibilityArchival{State: config.ArchivalDisabled},
		},
		NamespaceDefaults: config.NamespaceDefaults{Archival: config.ArchivalNamespaceDefaults{
			History:    config.HistoryArchivalNamespaceDefaults{State: config.ArchivalDisabled},
			Visibility: config.VisibilityArchivalNamespaceDefaults{State: config.ArchivalDisabled},
		}},
	}, hosts, nil
}

func sqlConfig(server *url.URL, password, database string, conns int) *config.SQL {
	return &config.SQL{
		PluginName:        postgresql.PluginNamePGX,
		ConnectProtocol:   "tcp",
		ConnectAddr:       server.Host,
		User:              server.User.Username(),
		Password:          password,
		DatabaseName:      database,
		ConnectAttributes: map[string]string{"sslmode": "disable"},
		MaxConns:          conns,
		MaxIdleConns:      conns,
	}
}

// localServices gives the frontend its port and the inner services free ones. Hosts are
// static: one process needs no membership protocol, and no entry of a killed predecessor
// can be taken for a live member.
func localServices(frontendPort int) (map[string]config.Service, map[primitives.ServiceName]static.Hosts, error) {
	services := make(map[string]config.Service)
	hosts := make(map[primitives.ServiceName]static.Hosts)
	names := []primitives.ServiceName{
		primitives.FrontendService, primitives.HistoryService, primitives.MatchingService, primitives.WorkerService,
	}
	for _, name := range names {
		port := frontendPort
		if name != primitives.FrontendService {
			listener, err := listenLow()
			if err != nil {
				return nil, nil, fmt.Errorf("find a free port: %w", err)
			}
			defer listener.Close() // only when all are chosen, so that no two are equal
			port = listener.Addr().(*net.TCPAddr).Port
		}
		services[string(name)] = config.Service{RPC: config.RPC{GRPCPort: port, BindOnLocalHost: true}}
		hosts[name] = static.SingleLocalHost(net.JoinHostPort(localhost, strconv.Itoa(port)))
	}
	return services, hosts, nil
}

// listenLow listens below the range that systems use for outgoing connections (from 32768
// on Linux), so that none of these takes the port between the choice and the server's start.
func listenLow() (listener net.Listener, err error) {
	for range 100 {
		listener, err = net.Listen("tcp", net.JoinHostPort(localhost, strconv.Itoa(20000+rand.IntN(12768))))
		if err == nil {
			return listener, nil
		}
	}
	return nil, err
}

func newUI(frontendPort, port int) *server.Server {
	return server.NewServer(server_options.WithConfigProvider(&uiconfig.Config{
		TemporalGRPCAddress: net.JoinHostPort(localhost, strconv.Itoa(frontendPort)),
		Host:                localhost,
		Port:                port,
		EnableUI:            true,
		DefaultNamespace:    namespace,
		DisableNewsFetch:    true,
		HideLogs:            true,
		CORS:                uiconfig.CORS{CookieInsecure: true},
	}))
}
