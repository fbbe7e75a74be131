/** The commands that take settings alone, or a flag or two beside them. @module */
import { backfill } from "./backfill.ts";
import { doctor } from "./doctor.ts";
import { events } from "./events.ts";
import { gaps } from "./gaps.ts";
import { healthcheck } from "./healthcheck.ts";
import { migrate } from "./migrate.ts";
import { nodes } from "./nodes.ts";
import { plan } from "./plan.ts";
import { reload } from "./reload.ts";
import { run } from "./run.ts";
import { status } from "./status.ts";
import type { Flags } from "./settings.ts";
import type { ExitCode, Shell } from "./shell.ts";

type Action = (shell: Shell, flags: Flags) => Promise<ExitCode>;

interface CommandSpec {
  readonly name: string;
  readonly summary: string;
  readonly action: Action;
  readonly hasJson: boolean;
}

/** In no order: help sorts them by group. */
export const COMMANDS: readonly CommandSpec[] = [
  {
    name: "run",
    summary: "Run the daemon: poll, backfill and serve the page",
    action: run,
    hasJson: false,
  },
  {
    name: "reload",
    summary: "Make the running daemon read its settings again",
    action: reload,
    hasJson: true,
  },
  {
    name: "backfill",
    summary: "Fetch everything that is missing, once",
    action: backfill,
    hasJson: true,
  },
  {
    name: "gaps",
    summary: "List gaps, each with its state or reason",
    action: gaps,
    hasJson: true,
  },
  {
    name: "plan",
    summary: "Show what a backfill would fetch, and what is no longer available",
    action: plan,
    hasJson: true,
  },
  {
    name: "status",
    summary: "Show what the archive holds and what is missing",
    action: status,
    hasJson: true,
  },
  {
    name: "events",
    summary: "Show what has happened: bans, outages, listings, reloads, alerts",
    action: events,
    hasJson: true,
  },
  {
    name: "nodes",
    summary: "Show the nodes that share the archive, and what each does",
    action: nodes,
    hasJson: true,
  },
  {
    name: "doctor",
    summary:
      "Check settings, clock, database, disk and exchanges, and say how to fix what is wrong",
    action: doctor,
    hasJson: true,
  },
  {
    name: "migrate",
    summary: "Bring the database's schema up to date",
    action: migrate,
    hasJson: true,
  },
  {
    name: "healthcheck",
    summary: "Check whether the daemon on this machine is healthy",
    action: healthcheck,
    hasJson: true,
  },
];
