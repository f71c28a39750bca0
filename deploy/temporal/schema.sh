#!/bin/sh
# Brings Temporal's two databases to the schema of this version. May run again.
set -eu
SQL_PASSWORD=$(cat /run/secrets/temporal_db_password)
export SQL_PASSWORD
for database in temporal temporal_visibility; do
	tool="temporal-sql-tool --plugin postgres12_pgx --ep temporal-postgres -p 5432 -u temporal --db $database"
	$tool create
	$tool setup-schema -v 0.0
	case $database in
	temporal) schema=temporal ;;
	*) schema=visibility ;;
	esac
	$tool update-schema -d "/etc/temporal/schema/postgresql/v12/$schema/versioned"
done
