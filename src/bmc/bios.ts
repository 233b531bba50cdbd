import { isDeepStrictEqual } from 'node:util'
import { timestamp } from '../lib/clock.ts'
import { etagOf } from '../redfish/etag.ts'
import { message } from '../redfish/messages/message.ts'
import { isObject, type JsonObject, linkUris } from '../redfish/resource.ts'
import { type Bmc, machineResource } from './bmc.ts'
import { overlaid } from './overlay.ts'
import type { Entries } from './state.ts'

/** The attributes that a BIOS left the factory with. */
export function factoryAttributes(bmc: Bmc, bios: string): JsonObject {
  return attributesOf(bmc.machine.resources.get(bios))
}

/** What the boot of a system makes of settings that waited for it: they become those of its BIOS. */
export function appliedSettings(bmc: Bmc, system: string, now: number): Entries<JsonObject> {
  const [uri = ''] = linkUris([machineResource(bmc, system)?.['Bios'] ?? null])
  const bios = machineResource(bmc, uri)
  const settings = bios?.['@Redfish.Settings']
  if (bios === undefined || !isObject(settings)) return []
  const [pendingUri = ''] = linkUris([settings['SettingsObject'] ?? null])
  const waiting = attributesOf(machineResource(bmc, pendingUri))
  const attributes = { ...attributesOf(bios), ...waiting }
  const isReset = bios['ResetBiosToDefaultsPending'] === true
  if (isDeepStrictEqual(attributes, bios['Attributes']) && !isReset) return []
  const { ETag: _, ...facts } = settings
  const members = {
    Attributes: attributes,
    ...(isReset && { ResetBiosToDefaultsPending: false }),
    '@Redfish.Settings': { ...facts, Time: timestamp(now), Messages: [{ ...message('Base.Success') }] },
  }
  // Settings v1_4: the ETag of the resource after the application, by which clients see whether it changed again.
  const ETag = etagOf({ ...bios, ...members })
  return overlaid(bmc, uri, {
    ...members,
    '@Redfish.Settings': { ...members['@Redfish.Settings'], ETag },
  })
}

function attributesOf(resource: JsonObject | undefined): JsonObject {
  const attributes = resource?.['Attributes']
  return isObject(attributes) ? attributes : {}
}
