# syntax=docker/dockerfile:1
FROM golang:1.26 AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
RUN CGO_ENABLED=0 go build -tags nomsgpack,release,disable_grpc_modules -trimpath -ldflags "-s -w" -o /out/deskbell ./cmd/deskbell && mkdir /out/state /out/files

FROM gcr.io/distroless/static-debian12:nonroot
COPY --from=build /out/deskbell /deskbell
# Volumes take their owner from here: the development SMSC's messages, and tickets' files.
COPY --from=build --chown=65532:65532 /out/state /state
COPY --from=build --chown=65532:65532 /out/files /files
USER 65532:65532
EXPOSE 8080
ENTRYPOINT ["/deskbell"]
