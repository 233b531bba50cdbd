import type { MetricId } from './metrics.ts'

/** A number, and what it is about. */
export interface MetricValue {
  readonly metric: MetricId
  readonly value: number
  /** When it was so; as the whole report unless given. */
  readonly at?: number
  /** The property that says the same. */
  readonly property?: string
  readonly about?: About
}

/** As RedflashMetricValue has it. */
type About = Readonly<
  Partial<Record<'State' | 'Stage' | 'MessageId' | 'Component' | 'SoftwareId' | 'Version', string>>
>

/** What a report is about, and how its numbers are found when somebody reads it. */
export interface Report {
  readonly name: string
  /** The Ids of their definitions. */
  readonly metrics: readonly string[]
  readonly read: () => ReportContents
}

export interface ReportContents {
  /** The last moment at which anything of it changed; `undefined`: there is nothing yet. */
  readonly at: number | undefined
  readonly values: readonly MetricValue[]
}
