import { ofEach } from '../../lib/of-each.ts'
import { uris } from '../../redfish/uris.ts'
import { analyticsOf, type Analytics } from '../../rollout/analytics.ts'
import type { LiveRollout } from '../../rollout/live.ts'
import type { MetricId } from './metrics.ts'
import type { MetricValue, ReportContents } from './report.ts'

/** What was found of a roll-out at a revision of it. */
const found = ofEach<LiveRollout, { revision: number; report: ReportContents }>(() => ({
  revision: -1,
  report: { at: undefined, values: [] },
}))

/** The figures of a roll-out as it is now, added up anew only when it has changed. */
export function rolloutReport(live: LiveRollout): ReportContents {
  const known = found(live)
  if (known.revision !== live.revision) {
    known.revision = live.revision
    const values = valuesOf(live.base.id, analyticsOf([...live.targets.values()]))
    known.report = { at: lastMoment(live), values }
  }
  return known.report
}

function valuesOf(job: string, figures: Analytics): MetricValue[] {
  const { devices, successPercent, durations, retries, rollBacks, bytes } = figures
  return [
    ...Object.entries(devices).map(([State, value]): MetricValue => {
      const property = `${uris.job(job)}#/Oem/Redflash/Devices/${State}`
      return { metric: 'Devices', value, property, about: { State } }
    }),
    ...(successPercent === undefined ? [] : [{ metric: 'SuccessRate', value: successPercent } as const]),
    ...(durations === undefined ? [] : durationValues(durations)),
    ...Object.entries(figures.failuresByStage).map(([Stage, value]): MetricValue => ({
      metric: 'FailuresByStage',
      value,
      about: { Stage },
    })),
    ...Object.entries(figures.failuresByMessage).map(([MessageId, value]): MetricValue => ({
      metric: 'FailuresByMessage',
      value,
      about: { MessageId },
    })),
    { metric: 'Retries', value: retries },
    { metric: 'RollBacksSucceeded', value: rollBacks.succeeded },
    { metric: 'RollBacksFailed', value: rollBacks.failed },
    { metric: 'BytesSent', value: bytes },
  ]
}

function durationValues(durations: NonNullable<Analytics['durations']>): MetricValue[] {
  const { least, mean, most, percentiles } = durations
  const all: readonly (readonly [MetricId, number])[] = [
    ['UpdateDurationMinimum', least],
    ['UpdateDurationAverage', mean],
    ['UpdateDurationP50', percentiles[50]],
    ['UpdateDurationP90', percentiles[90]],
    ['UpdateDurationP95', percentiles[95]],
    ['UpdateDurationP99', percentiles[99]],
    ['UpdateDurationMaximum', most],
  ]
  return all.map(([metric, ms]) => ({ metric, value: ms / 1_000 }))
}

/** When anything happened in it last, whenever the service was started. */
function lastMoment({ base, head, waves, targets }: LiveRollout): number {
  let last = Math.max(base.createdAt, head.beganAt ?? 0, head.endedAt ?? 0, head.history.at(-1)?.at ?? 0)
  for (const { history } of waves) last = Math.max(last, history.at(-1)?.at ?? 0)
  for (const { attempt, history } of targets.values())
    last = Math.max(last, attempt?.startedAt ?? 0, history.at(-1)?.endedAt ?? 0)
  return last
}
