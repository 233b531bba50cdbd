import { type Bmc, machineResource, type Row } from '../../bmc/bmc.ts'
import { factoryAttributes } from '../../bmc/bios.ts'
import { commit } from '../../bmc/commit.ts'
import { changedMembers, overlaid, overlay } from '../../bmc/overlay.ts'
import { Type } from '../../lib/schema.ts'
import { RedfishError } from '../../redfish/errors.ts'
import { about, message } from '../../redfish/messages/message.ts'
import { isObject, type JsonObject } from '../../redfish/resource.ts'
import type { Answer, Call, Params } from '../../redfish/resource-table.ts'
import { uris } from '../../redfish/uris.ts'
import { machinePatch, writableMembers } from './writable.ts'

const settingsOf = ({ id = '' }: Params): string => uris.biosSettings(uris.system(id))

/** The BIOS of a system: as it booted, and as it is to boot next (DSP0266, settings resource). */
export const biosRows: readonly Row[] = [
  {
    path: uris.bios(uris.system(':id')),
    type: 'Bios',
    view: (bmc, { id = '' }) => machineResource(bmc, uris.bios(uris.system(id))),
    actions: {
      'Bios.ResetBios': { parameters: Type.Object({}, { additionalProperties: false }), run: resetBios },
    },
  },
  {
    path: uris.biosSettings(uris.system(':id')),
    type: 'Bios',
    view: (bmc, params) => machineResource(bmc, settingsOf(params)),
    patch: machinePatch(settingsOf),
    put: { writable: writableMembers, apply: replaceSettings },
  },
]

/** PUT: attributes that are not in the body become what they were when the BIOS left the factory. */
function replaceSettings({ bmc, params, body }: Call<Bmc>): void {
  const { Attributes: attributes, ...others } = body as JsonObject // judged by then
  if (!isObject(attributes)) {
    throw new RedfishError(400, about(message('Base.PropertyMissing', 'Attributes'), '/Attributes'))
  }
  const factory = factoryAttributes(bmc, uris.bios(uris.system(params['id'] ?? '')))
  const uri = settingsOf(params)
  overlay(bmc, uri, changedMembers(bmc, uri, { ...others, Attributes: { ...factory, ...attributes } }))
}

/** Bios.ResetBios: the defaults wait for the next reset like any other settings. */
function resetBios({ bmc, params }: Call<Bmc>): Answer {
  const bios = uris.bios(uris.system(params['id'] ?? ''))
  const pending = settingsOf(params)
  const isShown = machineResource(bmc, bios)?.['ResetBiosToDefaultsPending'] !== undefined
  const overlays = [
    ...(isShown ? overlaid(bmc, bios, { ResetBiosToDefaultsPending: true }) : []),
    ...(machineResource(bmc, pending)
      ? overlaid(bmc, pending, { Attributes: factoryAttributes(bmc, bios) })
      : []),
  ]
  if (overlays.length > 0) commit(bmc, { overlays })
  return { status: 204 }
}
