package workflows

import (
	"strconv"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"deskbell/activities"
)

// WebhookQueue has the deliveries of webhooks, apart from tickets: a slow receiver
// holds up nobody's ticket.
const WebhookQueue = "deskbell-webhooks"

// WebhookType is the name of the workflow Webhook.
const WebhookType = "Webhook"

// WebhookID is the id of a delivery's workflow.
func WebhookID(delivery int64) string { return "webhook-" + strconv.FormatInt(delivery, 10) }

const (
	// webhookPatience is how long a receiver may be away.
	webhookPatience = 24 * time.Hour
	// webhookTimeout is more than an attempt is given by its sender.
	webhookTimeout = 30 * time.Second
)

// Webhook delivers what a webhook is to be told, again and again for a day.
func Webhook(ctx workflow.Context, delivery int64) error {
	try := workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		StartToCloseTimeout: webhookTimeout, ScheduleToCloseTimeout: webhookPatience, Summary: "Tell the receiver",
		RetryPolicy: &temporal.RetryPolicy{InitialInterval: 5 * time.Second, BackoffCoefficient: 2, MaximumInterval: time.Hour},
	})
	if workflow.ExecuteActivity(try, (*activities.Webhooks)(nil).DeliverWebhook, delivery).Get(ctx, nil) == nil {
		return nil
	}
	return workflow.ExecuteActivity(withOptions(ctx, "Give up"), (*activities.Webhooks)(nil).GiveUpWebhook, delivery).Get(ctx, nil)
}
