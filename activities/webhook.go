package activities

import "context"

// Webhooks are the activities that tell others by HTTP what happened. They may run
// twice: the receiver knows a repetition by its id.
type Webhooks struct {
	Sender interface {
		// Deliver tries a delivery once; an error says that it is to be tried again.
		Deliver(ctx context.Context, delivery int64) error
		// GiveUp notes that it is not.
		GiveUp(ctx context.Context, delivery int64) error
	}
}

// DeliverWebhook tries a delivery once.
func (a *Webhooks) DeliverWebhook(ctx context.Context, delivery int64) error {
	return a.Sender.Deliver(ctx, delivery)
}

// GiveUpWebhook notes that a delivery is not tried again.
func (a *Webhooks) GiveUpWebhook(ctx context.Context, delivery int64) error {
	return a.Sender.GiveUp(ctx, delivery)
}
