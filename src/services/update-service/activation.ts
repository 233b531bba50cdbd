import type { Bmc, BmcAction } from '../../bmc/bmc.ts'
import { accepted } from '../../http/accepted.ts'
import { type Static, Type } from '../../lib/schema.ts'
import { errorBody, RedfishError } from '../../redfish/errors.ts'
import { about, type Message, message } from '../../redfish/messages/message.ts'
import type { Answer, Call } from '../../redfish/resource-table.ts'
import { referencePath, uris } from '../../redfish/uris.ts'
import { findStandby, hindrance, stagedTargets, type Standby } from '../../update/standby.ts'
import type { Updates } from '../../update/updates.ts'
import { requireEnabled } from './enabled.ts'
import { MAX_TARGETS } from './references.ts'
import { started } from './started.ts'

const START = 'UpdateService.StartUpdate'
const ACTIVATE = 'UpdateService.Activate'
const ACTIVATE_ONE = 'SoftwareInventory.Activate'
const closed = { additionalProperties: false }

// gofish sends plain strings where the schema wants links.
const Link = Type.Unsafe<string | { readonly '@odata.id': string }>({
  anyOf: [
    { type: 'string', format: 'uri-reference', minLength: 1 },
    {
      type: 'object',
      properties: { '@odata.id': { type: 'string', format: 'uri-reference', minLength: 1 } },
      required: ['@odata.id'],
      additionalProperties: false,
    },
  ],
})
const Links = Type.Array(Link, { maxItems: MAX_TARGETS })

/** Starts everything that waits for it; answers with a task, or that there was nothing to do. */
export function startUpdate(updates: Updates): BmcAction {
  return {
    parameters: Type.Object({}, closed),
    run: ({ bmc, actor }) => {
      requireEnabled(bmc)
      const result = updates.startWaiting(bmc, { payload: payloadOf(uris.updateService, START, {}), actor })
      if (result === undefined) return { status: 200, body: errorBody([message('Base.NoOperation')]) }
      return accepted(started(result))
    },
  }
}

/** UpdateService.Activate: the images that its Targets name become the ones that run. */
export function activate(updates: Updates): BmcAction {
  const parameters = Type.Object({ Targets: Links }, closed)
  return {
    parameters,
    run: (call) => {
      requireEnabled(call.bmc)
      const { Targets } = call.body as Static<typeof parameters> // judged when it came
      const mistakes: Message[] = []
      const images = Targets.flatMap((target, index) => {
        const path = referencePath(uriOf(target))
        const found = findStandby(call.bmc, path)
        if (found === undefined) mistakes.push(about(notStandby(call.bmc, path), `/Targets/${index}`))
        return found ?? []
      })
      if (Targets.length === 0) mistakes.push(message('Base.ActionParameterValueError', 'Targets', ACTIVATE))
      if (mistakes.length > 0) throw new RedfishError(400, mistakes)
      return start(call, unique(images), updates, [uris.updateService, ACTIVATE])
    },
  }
}

/** SoftwareInventory.Activate: the image becomes the one that runs on its devices, or on some of them. */
export function activateOne(updates: Updates): BmcAction {
  const parameters = Type.Object({ Targets: Type.Optional(Links) }, closed)
  return {
    parameters,
    run: (call) => {
      requireEnabled(call.bmc)
      const { Targets = [] } = call.body as Static<typeof parameters> // judged when it came
      const path = uris.firmware(call.params['id'] ?? '')
      const standby = findStandby(call.bmc, path)
      if (standby === undefined) throw new RedfishError(400, message('Base.ActionNotSupported', ACTIVATE_ONE))
      const devices = new Set(stagedTargets(standby.component))
      const mistakes = Targets.flatMap((target, index) => {
        const uri = referencePath(uriOf(target))
        return devices.has(uri)
          ? []
          : [about(message('Base.ActionParameterValueConflict', 'Targets', uri), `/Targets/${index}`)]
      })
      if (mistakes.length > 0) throw new RedfishError(400, mistakes)
      return start(call, [standby], updates, [path, ACTIVATE_ONE])
    },
  }
}

function start(
  { bmc, actor, body }: Call<Bmc>,
  images: readonly Standby[],
  updates: Updates,
  [resource, action]: readonly [string, string],
): Answer {
  const hindrances = images.flatMap(({ component, image }) => hindrance(component, image) ?? [])
  if (hindrances.length > 0) {
    const status = Math.min(...hindrances.map((one) => one.status))
    throw new RedfishError(
      status,
      hindrances.flatMap(({ messages }) => messages),
    )
  }
  return accepted(
    started(updates.activate(bmc, images, { payload: payloadOf(resource, action, body), actor })),
  )
}

function payloadOf(resource: string, action: string, body: unknown) {
  return {
    targetUri: uris.action(resource, action),
    httpHeaders: ['Content-Type: application/json'],
    jsonBody: JSON.stringify(body),
  }
}

/** It runs already, or it is nothing that there is. */
function notStandby(bmc: Bmc, path: string): Message {
  const isRunning = bmc.machine.components.has(path.slice(uris.firmwareInventory.length + 1))
  return isRunning
    ? message('Base.ActionParameterValueConflict', 'Targets', path)
    : message('Base.ResourceMissingAtURI', path)
}

/** One image of a component at a time: the last that was named. */
function unique(images: readonly Standby[]): Standby[] {
  return [...new Map(images.map((one) => [one.component.id, one])).values()]
}

function uriOf(target: string | { readonly '@odata.id': string }): string {
  return typeof target === 'string' ? target : target['@odata.id']
}
