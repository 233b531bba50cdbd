import type { Row } from '../../bmc/bmc.ts'
import type { Devices } from '../../console/devices.ts'
import type { Method } from '../../console/method.ts'
import type { Clock } from '../../lib/clock.ts'
import { collection, link, resource } from '../../redfish/resource.ts'
import { uris } from '../../redfish/uris.ts'
import type { TaskEngine } from '../../tasks/engine.ts'
import { aggregateRows } from './aggregates.ts'
import { type ResetOptions, serviceReset, SERVICE_RESET } from './reset.ts'
import { sourceRows } from './sources.ts'

export interface AggregationOptions {
  readonly clock: Clock
  readonly devices: Devices
  readonly tasks: TaskEngine
}

/** AggregationService: the devices that a console manages, and groups of them. */
export function aggregationRows(options: AggregationOptions): Row[] {
  const { devices } = options
  const resets: ResetOptions = options
  return [
    {
      path: uris.aggregationService,
      type: 'AggregationService',
      view: () => ({
        ...resource('AggregationService', uris.aggregationService, 'Aggregation service'),
        ServiceEnabled: true,
        Status: { State: 'Enabled', Health: 'OK' },
        AggregationSources: link(uris.aggregationSources),
        Aggregates: link(uris.aggregates),
        ConnectionMethods: link(uris.connectionMethods),
        Actions: {
          [`#${SERVICE_RESET}`]: { target: uris.action(uris.aggregationService, SERVICE_RESET) },
        },
      }),
      actions: { [SERVICE_RESET]: serviceReset(resets) },
    },
    ...sourceRows(options),
    ...aggregateRows(resets),
    ...methodRows(devices.methods),
  ]
}

function methodRows(methods: readonly Method[]): Row[] {
  return [
    {
      path: uris.connectionMethods,
      type: 'ConnectionMethodCollection',
      view: () =>
        collection(
          'ConnectionMethodCollection',
          uris.connectionMethods,
          'Connection methods',
          methods.map(({ id }) => uris.connectionMethod(id)),
        ),
    },
    {
      path: uris.connectionMethod(':id'),
      type: 'ConnectionMethod',
      view: ({ state }, { id = '' }) => {
        const method = methods.find((one) => one.id === id)
        if (method === undefined) return undefined
        const sources = [...state.devices.values()].filter((device) => device.method === id)
        return {
          ...resource('ConnectionMethod', uris.connectionMethod(id), `Devices by ${method.variant}`),
          ConnectionMethodType: method.type,
          ConnectionMethodVariant: method.variant,
          Links: {
            AggregationSources: sources.map((device) => link(uris.aggregationSource(device.id))),
            'AggregationSources@odata.count': sources.length,
          },
        }
      },
    },
  ]
}
