-- How long each chat message since $1 took, from being kept to the row of its answer.
SELECT extract(epoch FROM answer.created_at - said.kept_at)::float8
FROM inbox said JOIN deliveries answer ON answer.answers = said.key
WHERE said.channel = 'im' AND said.kept_at >= $1 AND answer.key NOT LIKE 'busy/%'
