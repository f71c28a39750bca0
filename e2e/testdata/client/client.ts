// A client of the API as somebody would write one over the generated types: it is
// compiled, not run.
import type { components, operations, paths } from "./api";

type Ticket = components["schemas"]["Ticket"];
type Body<P extends keyof paths> = paths[P] extends { post: { requestBody: { content: { "application/json": infer B } } } } ? B : never;

export const submission: Body<"/v1/tickets"> = { subject: "Printer", priority: "P2" };

// @ts-expect-error there is no such priority
export const wrong: Body<"/v1/tickets"> = { subject: "Printer", priority: "P9" };

// @ts-expect-error a ticket needs a subject
export const empty: Body<"/v1/tickets"> = { priority: "P2" };

export function holder(t: Ticket): string {
  const name: string | null = t.assignee;
  return name ?? "nobody";
}

export function why(p: components["schemas"]["Problem"]): string {
  switch (p.type) {
    case "urn:deskbell:problem:take-lost":
      return p.holder_name ?? "somebody";
    // @ts-expect-error there is no such problem
    case "urn:deskbell:problem:invented":
      return "";
    default:
      return p.title;
  }
}

export function free(list: operations["agents"]["responses"][200]["content"]["application/json"]): string[] {
  return list.filter((a) => a.holding.length === 0).map((a) => a.id);
}

export const change: operations["edit-person"]["requestBody"]["content"]["application/json"] = { role: ["agent", "oncall"], active: false };
