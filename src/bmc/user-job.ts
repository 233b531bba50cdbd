import type { Method } from '../redfish/resource-table.ts'
import type { Actor } from './actor.ts'

/** A job that a user made and that is not over: all that is needed to go on with it after a restart. */
export interface UserJob {
  readonly maker: Actor
  /** As it is sent, with what is shown to nobody. */
  readonly request: JobRequest
  /** How many of its occurrences are over, and how the last of them ended. */
  readonly runs: number
  readonly last?: 'Completed' | 'Exception' | 'Cancelled' | undefined
  /** The next one is later than this. */
  readonly after: number
  /** Absent while the next one is waited for. */
  readonly occurrence?: Occurrence | undefined
}

export interface JobRequest {
  readonly method: Exclude<Method, 'HEAD'>
  readonly uri: string
  readonly headers: Readonly<Record<string, string>>
  /** JSON. */
  readonly body: string | undefined
}

/** Where an occurrence is that has begun: it is to be sent, or was, or goes on elsewhere. */
type Occurrence = { readonly at: 'due' } | { readonly at: 'sent' } | ({ readonly at: 'followed' } & Followed)

/** What goes on for a job elsewhere: a task, or the job that a task became. */
export interface Followed {
  readonly table: 'tasks' | 'jobs'
  readonly id: string
  /** How many of its messages the job has told. */
  readonly told: number
}
