//go:build race

package store

// Under the race detector an iteration takes ten times as long, and only tests wait.
const pinIterations = 600
