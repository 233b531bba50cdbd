import { activeImage, chosen, imagesOf, type ManagerImage } from '../../bmc/banks.ts'
import type { Bmc, BmcAction, Row } from '../../bmc/bmc.ts'
import { commit } from '../../bmc/commit.ts'
import { changedMembers, overlaid } from '../../bmc/overlay.ts'
import type { Resets } from '../../bmc/reset.ts'
import type { ComponentState, Entries } from '../../bmc/state.ts'
import { offersAction } from '../../http/mount.ts'
import type { Clock } from '../../lib/clock.ts'
import { type Static, Type } from '../../lib/schema.ts'
import { RedfishError } from '../../redfish/errors.ts'
import { about, message } from '../../redfish/messages/message.ts'
import { isObject, type JsonObject, link, linkUris, type Resource, resource } from '../../redfish/resource.ts'
import type { Call, Patch } from '../../redfish/resource-table.ts'
import { referencePath, uris } from '../../redfish/uris.ts'
import { securityVersionOf } from '../../update/floors.ts'
import { hindrance } from '../../update/standby.ts'
import type { Updates } from '../../update/updates.ts'
import { writableMembers } from './writable.ts'

export const FORCE_FAILOVER = 'Manager.ForceFailover'
const PROPERTY = 'Links/ActiveSoftwareImage'
const INFO = 'ForceFailover'
const closed = { additionalProperties: false }

/** What a manager shows of the images that it can run; where it has no choice, what the machine's data says stands. */
export function imageMembers(bmc: Bmc, { '@odata.id': manager, Links, Actions }: Resource): JsonObject {
  const images = imagesOf(bmc, manager)
  const active = activeImage(bmc, manager)
  if (images.length < 2 || active === undefined) return {}
  const failover = {
    target: uris.action(manager, FORCE_FAILOVER),
    '@Redfish.ActionInfo': uris.actionInfo(manager, INFO),
  }
  return {
    Links: {
      ...(isObject(Links) && Links),
      ActiveSoftwareImage: link(active.uri),
      SoftwareImages: images.map(({ uri }) => link(uri)),
      'SoftwareImages@odata.count': images.length,
    },
    Actions: { ...(isObject(Actions) && Actions), [`#${FORCE_FAILOVER}`]: failover },
  }
}

/** PATCH of a manager: where it has a choice of images, also of the one that its next reset boots. */
export function managerPatch(clock: Clock, updates: Updates): Patch<Bmc> {
  return {
    // The action is there where there is a choice.
    writable: (shown) => ({
      ...writableMembers(shown),
      ...(offersAction(shown, FORCE_FAILOVER) && { Links: { ActiveSoftwareImage: true } }),
    }),
    apply: (call) => {
      const { bmc, params, body } = call
      const manager = uris.manager(params['id'] ?? '')
      const { Links, ...others } = body as JsonObject // judged by then
      const [wanted] = linkUris([(isObject(Links) && Links['ActiveSoftwareImage']) || null])
      const components = wanted === undefined ? [] : choice(call, manager, wanted, { clock, updates })
      const members = changedMembers(bmc, manager, others)
      const overlays = Object.keys(members).length > 0 ? overlaid(bmc, manager, members) : []
      if (components.length > 0 || overlays.length > 0) commit(bmc, { components, overlays })
    },
  }
}

const Failover = Type.Object(
  {
    NewManager: Type.Object({ '@odata.id': Type.String({ format: 'uri-reference', minLength: 1 }) }, closed),
  },
  closed,
)

/** Manager.ForceFailover: boots the other image at once. The only manager to fail over to is the manager itself. */
export function forceFailover(options: Options & { readonly resets: Resets }): BmcAction {
  return {
    parameters: Failover,
    run: (call) => {
      const { bmc, params, body } = call
      const manager = uris.manager(params['id'] ?? '')
      const other = otherImage(bmc, manager)
      if (other === undefined) throw new RedfishError(400, message('Base.ActionNotSupported', FORCE_FAILOVER))
      const { NewManager } = body as Static<typeof Failover> // judged when it came
      const asked = referencePath(NewManager['@odata.id'])
      if (asked !== manager) {
        const refusal = message('Base.ActionParameterValueNotInList', asked, 'NewManager', FORCE_FAILOVER)
        throw new RedfishError(400, about(refusal, '/NewManager'))
      }
      commit(bmc, { components: judged(call, manager, other, options) })
      return { status: 204, afterwards: options.resets.promise(bmc, manager, 'ForceRestart') }
    },
  }
}

/** What ForceFailover takes: this manager. */
export const failoverInfoRow: Row = {
  path: uris.actionInfo(uris.manager(':id'), INFO),
  type: 'ActionInfo',
  view: (bmc, { id = '' }) => {
    const manager = uris.manager(id)
    if (otherImage(bmc, manager) === undefined) return undefined
    const NewManager = {
      Name: 'NewManager',
      Required: true,
      DataType: 'Object',
      ObjectDataType: '#Manager.Manager',
      AllowableValues: [manager],
    }
    const path = uris.actionInfo(manager, INFO)
    return { ...resource('ActionInfo', path, `Parameters of ${INFO}`), Parameters: [NewManager] }
  },
}

interface Options {
  readonly clock: Clock
  readonly updates: Updates
}

/** The change that the client's choice makes. Throws a RedfishError where the image may not boot, or is none of these. */
function choice(call: Call<Bmc>, manager: string, wanted: string, options: Options): Entries<ComponentState> {
  const image = imagesOf(call.bmc, manager).find(({ uri }) => uri === referencePath(wanted))
  if (image !== undefined) return judged(call, manager, image, options)
  const refusal = message('Base.PropertyValueNotInList', wanted, PROPERTY)
  throw new RedfishError(400, about(refusal, `/${PROPERTY}`))
}

/** The change that makes an image boot next; nothing where it would. Throws a RedfishError where it may not. */
function judged(
  { bmc, actor }: Call<Bmc>,
  manager: string,
  image: ManagerImage,
  { clock, updates }: Options,
): Entries<ComponentState> {
  const components = chosen(bmc, manager, image, { since: clock.now(), cause: { actor } })
  if (components.length === 0) return []
  if (imagesOf(bmc, manager).some(({ component }) => updates.isClaimed(bmc, component.id)))
    throw new RedfishError(409, message('Base.ResourceInUse'))
  const { component, standby } = image
  // What runs on its component is at that one's floor.
  const runs = { ...image, securityVersion: securityVersionOf(component, component.now) }
  const hindered = hindrance(component, standby ?? runs)
  if (hindered !== undefined) throw new RedfishError(hindered.status, hindered.messages)
  return components
}

/** The image that runs when the active one does not: the other of a pair, else the first that stands by. */
function otherImage(bmc: Bmc, manager: string): ManagerImage | undefined {
  const active = activeImage(bmc, manager)
  return imagesOf(bmc, manager).find(({ uri }) => uri !== active?.uri)
}
