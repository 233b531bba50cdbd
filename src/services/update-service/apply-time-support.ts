import type { Bmc } from '../../bmc/bmc.ts'
import type { Settings } from '../../bmc/state.ts'
import { millisecondsOf, timestamp } from '../../lib/clock.ts'
import { type Static, Type } from '../../lib/schema.ts'
import { windowed } from '../../redfish/apply-times.ts'
import { type JsonObject, link } from '../../redfish/resource.ts'
import { uris } from '../../redfish/uris.ts'

/** When the window opens, and for how long, wherever clients may say it. */
export const windowTimes = {
  MaintenanceWindowStartTime: Type.Optional(Type.String({ format: 'date-time' })),
  MaintenanceWindowDurationInSeconds: Type.Optional(Type.Integer({ minimum: 0 })),
}
const WindowTimes = Type.Object(windowTimes, { additionalProperties: false })

/** `@Redfish.MaintenanceWindow`, as clients may change it (Settings v1_4). */
export const windowProperties = { '@Redfish.MaintenanceWindow': Type.Optional(WindowTimes) }
const WindowPatch = Type.Object(windowProperties)

/** The window as the UpdateService shows it. */
export function windowMembers(bmc: Bmc): JsonObject {
  return {
    '@Redfish.MaintenanceWindow': { '@odata.type': '#Settings.v1_4_0.MaintenanceWindow', ...windowOf(bmc) },
  }
}

/** What a PATCH of the window makes of the settings. */
export function patchedWindow(asked: Static<typeof WindowPatch>): Partial<Settings> {
  return patchedTimes(asked['@Redfish.MaintenanceWindow'])
}

/** What the times that a client says make of the settings. */
export function patchedTimes(asked: Static<typeof WindowTimes> = {}): Partial<Settings> {
  const { MaintenanceWindowStartTime: start, MaintenanceWindowDurationInSeconds: seconds } = asked
  return {
    ...(start !== undefined && { maintenanceWindowStart: millisecondsOf(start) }),
    ...(seconds !== undefined && { maintenanceWindowS: seconds }),
  }
}

/** `OperationApplyTimeSupport`, which repeats the window where that is of any use (Settings v1_4). */
export function applyTimeSupport(bmc: Bmc): JsonObject {
  const { applyTimes } = bmc.machine.updateRules
  const hasWindow = applyTimes.some((one) => windowed.has(one))
  return {
    '@odata.type': '#Settings.v1_4_0.OperationApplyTimeSupport',
    SupportedValues: applyTimes,
    ...(hasWindow && { MaintenanceWindowResource: link(uris.updateService), ...windowOf(bmc) }),
  }
}

/** The window as it is. */
export function windowOf({ state: { settings } }: Bmc): JsonObject {
  return {
    MaintenanceWindowStartTime: timestamp(settings.maintenanceWindowStart),
    MaintenanceWindowDurationInSeconds: settings.maintenanceWindowS,
  }
}
