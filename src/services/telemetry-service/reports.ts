import type { Bmc } from '../../bmc/bmc.ts'
import type { Rollouts } from '../../console/rollouts/rollouts.ts'
import { versionsInField } from '../../console/versions-in-field.ts'
import { rolloutReportId } from '../../redfish/uris.ts'
import { consoleMetrics, rolloutMetrics } from './metrics.ts'
import type { Report, ReportContents } from './report.ts'
import { rolloutReport } from './rollout-report.ts'

/** Of the whole console. */
const VERSIONS = 'Versions'

/** All reports of a console, by their Ids: each has a definition of the same Id. */
export function reportsOf(bmc: Bmc, rollouts: Rollouts): ReadonlyMap<string, Report> {
  const versions: Report = {
    name: 'Versions in the field',
    metrics: consoleMetrics,
    read: () => versionsReport(bmc),
  }
  const others = [...rollouts.shown(bmc)].map(([job, { live }]): readonly [string, Report] => [
    rolloutReportId(job),
    {
      name: `Figures of ${live.base.plan.Name ?? `the roll-out of ${live.base.image}`}`,
      metrics: rolloutMetrics,
      read: () => rolloutReport(live),
    },
  ])
  return new Map([[VERSIONS, versions], ...others])
}

function versionsReport(bmc: Bmc): ReportContents {
  const counts = versionsInField(bmc)
  return {
    at: counts.at(-1)?.at,
    values: counts.map(({ softwareId: SoftwareId, name: Component, version: Version, at, count: value }) => ({
      metric: 'VersionsInField',
      value,
      at,
      about: { Component, SoftwareId, Version },
    })),
  }
}
