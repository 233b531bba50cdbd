import type { Row } from '../../bmc/bmc.ts'
import type { Rollouts } from '../../console/rollouts/rollouts.ts'
import { timestamp } from '../../lib/clock.ts'
import { OEM } from '../../redfish/oem/types.ts'
import {
  collection,
  type JsonObject,
  link,
  odataType,
  type Resource,
  resource,
} from '../../redfish/resource.ts'
import { uris } from '../../redfish/uris.ts'
import { MAX_JOBS } from '../../tasks/job-engine.ts'
import { metricDefinitionRows } from './metrics.ts'
import type { MetricValue, Report, ReportContents } from './report.ts'
import { reportsOf } from './reports.ts'

/** TelemetryService of a console: what its roll-outs add up to, and which versions run in the field. */
export function telemetryRows(rollouts: Rollouts): Row[] {
  return [
    {
      path: uris.telemetryService,
      type: 'TelemetryService',
      view: () => ({
        ...resource('TelemetryService', uris.telemetryService, 'Telemetry service'),
        ServiceEnabled: true,
        Status: { State: 'Enabled', Health: 'OK' },
        // One of each roll-out, which is a job, and that of the whole console.
        MaxReports: MAX_JOBS + 1,
        MetricDefinitions: link(uris.metricDefinitions),
        MetricReportDefinitions: link(uris.metricReportDefinitions),
        MetricReports: link(uris.metricReports),
      }),
    },
    ...metricDefinitionRows,
    {
      path: uris.metricReportDefinitions,
      type: 'MetricReportDefinitionCollection',
      view: (bmc) =>
        collection(
          'MetricReportDefinitionCollection',
          uris.metricReportDefinitions,
          'Metric report definitions',
          [...reportsOf(bmc, rollouts).keys()].map(uris.metricReportDefinition),
        ),
    },
    {
      path: uris.metricReportDefinition(':id'),
      type: 'MetricReportDefinition',
      view: (bmc, { id = '' }) => {
        const report = reportsOf(bmc, rollouts).get(id)
        return report && definitionView(id, report)
      },
    },
    {
      path: uris.metricReports,
      type: 'MetricReportCollection',
      view: (bmc) =>
        collection(
          'MetricReportCollection',
          uris.metricReports,
          'Metric reports',
          [...reportsOf(bmc, rollouts).keys()].map(uris.metricReport),
        ),
    },
    {
      path: uris.metricReport(':id'),
      type: 'MetricReport',
      view: (bmc, { id = '' }) => {
        const report = reportsOf(bmc, rollouts).get(id)
        return report && reportView(id, report.name, report.read())
      },
    },
  ]
}

function definitionView(id: string, { name, metrics }: Report): Resource {
  return {
    ...resource('MetricReportDefinition', uris.metricReportDefinition(id), name),
    MetricReportDefinitionType: 'OnChange',
    MetricReportDefinitionEnabled: true,
    ReportActions: ['LogToMetricReportsCollection'],
    ReportUpdates: 'Overwrite',
    Status: { State: 'Enabled', Health: 'OK' },
    Metrics: metrics.map((MetricId) => ({ MetricId })),
    MetricReport: link(uris.metricReport(id)),
  }
}

function reportView(id: string, name: string, { at, values }: ReportContents): Resource {
  const Timestamp = at === undefined ? undefined : timestamp(at)
  return {
    ...resource('MetricReport', uris.metricReport(id), name),
    Timestamp,
    MetricReportDefinition: link(uris.metricReportDefinition(id)),
    MetricValues: values.map((value) => valueView(value, Timestamp)),
  }
}

function valueView({ metric, value, at, property, about }: MetricValue, Timestamp?: string): JsonObject {
  return {
    MetricId: metric,
    // To a thousandth: milliseconds, where it is seconds.
    MetricValue: String(Math.round(value * 1_000) / 1_000),
    Timestamp: at === undefined ? Timestamp : timestamp(at),
    MetricProperty: property,
    ...(about && { Oem: { [OEM]: { '@odata.type': odataType('RedflashMetricValue'), ...about } } }),
  }
}
