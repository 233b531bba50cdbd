import type { Row } from '../../bmc/bmc.ts'
import { collection, type Resource, resource } from '../../redfish/resource.ts'
import { uris } from '../../redfish/uris.ts'

/** What a number means that reports show. */
interface Metric {
  readonly name: string
  readonly description: string
  /** In UCUM, as the schema wants it. */
  readonly units: string
  readonly type: 'Integer' | 'Decimal'
  /** How it is calculated, where that is more than counting. */
  readonly algorithm?: Algorithm
  readonly most?: number
}

type Algorithm = 'Average' | 'Minimum' | 'Maximum' | { readonly own: string }

const devices = { units: '{device}', type: 'Integer' } as const
const attempts = { units: '{attempt}', type: 'Integer' } as const
const seconds = { units: 's', type: 'Decimal' } as const

/** What the report of a roll-out tells, by their Ids, where there is anything to tell. */
const ofRollouts = {
  Devices: {
    ...devices,
    name: 'Devices by state',
    description: 'Devices of a roll-out that are in the State that the value names.',
  },
  SuccessRate: {
    name: 'Success rate',
    description: 'Of the devices whose last attempt at an update has ended, those with whom it ended well.',
    units: '%',
    type: 'Decimal',
    most: 100,
  },
  UpdateDurationMinimum: duration('The least', 'Minimum'),
  UpdateDurationAverage: duration('The mean', 'Average'),
  UpdateDurationP50: duration('The median', percentile(50)),
  UpdateDurationP90: duration('The 90th percentile', percentile(90)),
  UpdateDurationP95: duration('The 95th percentile', percentile(95)),
  UpdateDurationP99: duration('The 99th percentile', percentile(99)),
  UpdateDurationMaximum: duration('The greatest', 'Maximum'),
  FailuresByStage: {
    ...attempts,
    name: 'Failures by stage',
    description: 'Attempts at updates that failed at the Stage that the value names.',
  },
  FailuresByMessage: {
    ...attempts,
    name: 'Failures by message',
    description: 'Attempts at updates that failed with the message that the value names.',
  },
  Retries: {
    ...attempts,
    name: 'Retries',
    description: 'Attempts at updates after the first of their device.',
  },
  RollBacksSucceeded: {
    ...attempts,
    name: 'Roll-backs that succeeded',
    description: 'Attempts to bring a device back to what ran before that succeeded.',
  },
  RollBacksFailed: {
    ...attempts,
    name: 'Roll-backs that failed',
    description: 'Attempts to bring a device back to what ran before that did not succeed.',
  },
  BytesSent: {
    name: 'Bytes sent',
    description: 'The size of the image, for each attempt by which all of it came to its device.',
    units: 'By',
    type: 'Integer',
  },
} as const satisfies Readonly<Record<string, Metric>>

const ofConsole = {
  VersionsInField: {
    name: 'Versions in the field',
    description: 'Firmware of the SoftwareId and the Version that the value names, from its time on.',
    units: '{component}',
    type: 'Integer',
  },
} as const satisfies Readonly<Record<string, Metric>>

export type MetricId = keyof typeof ofRollouts | keyof typeof ofConsole

export const rolloutMetrics: readonly string[] = Object.keys(ofRollouts)
export const consoleMetrics: readonly string[] = Object.keys(ofConsole)

function duration(which: string, algorithm: Algorithm) {
  const name = `${which} duration of updates`
  return { ...seconds, name, description: `${name} that succeeded.`, algorithm } as const
}

function percentile(percent: number) {
  return { own: `The least duration that ${percent} % of the updates do not exceed.` } as const
}

const known: ReadonlyMap<string, Metric> = new Map(Object.entries<Metric>({ ...ofRollouts, ...ofConsole }))

/** What the numbers of reports mean. */
export const metricDefinitionRows: readonly Row[] = [
  {
    path: uris.metricDefinitions,
    type: 'MetricDefinitionCollection',
    view: () =>
      collection(
        'MetricDefinitionCollection',
        uris.metricDefinitions,
        'Metric definitions',
        [...known.keys()].map(uris.metricDefinition),
      ),
  },
  {
    path: uris.metricDefinition(':id'),
    type: 'MetricDefinition',
    view: (_bmc, { id = '' }) => {
      const metric = known.get(id)
      return metric && metricView(id, metric)
    },
  },
]

function metricView(id: string, { name, description, units, type, algorithm, most }: Metric): Resource {
  const own = typeof algorithm === 'object' ? algorithm.own : undefined
  return {
    ...resource('MetricDefinition', uris.metricDefinition(id), name),
    Description: description,
    MetricType: 'Numeric',
    MetricDataType: type,
    Units: units,
    Implementation: algorithm === undefined ? 'Synthesized' : 'Calculated',
    CalculationAlgorithm: own === undefined ? algorithm : 'OEM',
    OEMCalculationAlgorithm: own,
    MinReadingRange: 0,
    MaxReadingRange: most,
  }
}
