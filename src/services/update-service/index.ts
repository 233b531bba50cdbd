import { type Static, Type } from '../../lib/schema.ts'
import type { Bmc, Row } from '../../bmc/bmc.ts'
import { commit } from '../../bmc/commit.ts'
import type { Certificates } from '../../http/certificates.ts'
import { formats } from '../../image/inspect.ts'
import type { ImageStore } from '../../image/store.ts'
import type { Clock } from '../../lib/clock.ts'
import { type JsonObject, link, resource } from '../../redfish/resource.ts'
import { type Call } from '../../redfish/resource-table.ts'
import { uris } from '../../redfish/uris.ts'
import type { Updates } from '../../update/updates.ts'
import { actionInfoRow, actionTarget, ownActionTarget } from './action-info.ts'
import { activate, startUpdate } from './activation.ts'
import { applyTimeSupport, patchedWindow, windowMembers, windowProperties } from './apply-time-support.ts'
import { allowableTargets, capabilitiesRow } from './capabilities.ts'
import { identityMembers, identityPatch, identityRows, identitySettings } from './identity.ts'
import { inventoryRows } from './inventory.ts'
import { localImageRows, storeMembers } from './local-images.ts'
import type { UpdateMethod } from './methods.ts'
import {
  OWN_SIMPLE_UPDATE,
  type PullOptions,
  SIMPLE_UPDATE,
  simpleUpdate,
  simpleUpdateParameters,
} from './simple-update.ts'
import { pushMembers, pushPatch, pushSettings } from './push-options.ts'
import { sshIdentityActions, sshIdentityTargets } from './ssh-identity.ts'
import { trustAnchorRows, trustMembers } from './trust-anchors.ts'

const closed = { additionalProperties: false }
const properties = { ServiceEnabled: Type.Optional(Type.Boolean()), ...identityPatch, ...windowProperties }
const ServicePatch = Type.Object({ ...properties, ...pushPatch }, closed)
const PatchWithoutPush = Type.Object(properties, closed)
/** Several formats may go by one name. */
const formatNames = [...new Set(formats.flatMap(({ names }) => names))]

export interface UpdateServiceOptions {
  readonly clock: Clock
  readonly maxImageBytes: number
  readonly certificates: Certificates
  /** The ways to give the service an image; the others are not there. */
  readonly methods: ReadonlySet<UpdateMethod>
  readonly images: ImageStore
  readonly updates: Updates
  readonly protocols: PullOptions['protocols']
}

/** UpdateService and its inventories: it shows what works, and an absent action means that it does not. */
export function updateRows({
  clock,
  maxImageBytes,
  certificates,
  methods,
  images,
  updates,
  protocols,
}: UpdateServiceOptions): Row[] {
  const hasPull = methods.has('simple')
  const pull = { updates, images, protocols }
  return [
    {
      path: uris.updateService,
      type: 'UpdateService',
      view: (bmc) => ({
        ...resource('UpdateService', uris.updateService, 'Update service'),
        ServiceEnabled: bmc.state.settings.updateServiceEnabled,
        Status: { State: bmc.state.settings.updateServiceEnabled ? 'Enabled' : 'Disabled', Health: 'OK' },
        ...(methods.has('multipart') && multipartMembers(bmc)),
        ...(methods.has('raw') && pushMembers(bmc)),
        MaxImageSizeBytes: maxImageBytes,
        SupportedUpdateImageFormats: formatNames,
        FirmwareInventory: link(uris.firmwareInventory),
        SoftwareInventory: link(uris.softwareInventory),
        ...storeMembers(bmc, images),
        ...identityMembers(bmc),
        ...windowMembers(bmc),
        UpdateServiceCapabilities: link(uris.updateServiceCapabilities),
        ...trustMembers(),
        Actions: {
          ...(hasPull && actionTarget('SimpleUpdate', pullAnnotations(bmc, protocols))),
          ...actionTarget('StartUpdate'),
          ...actionTarget('Activate'),
          ...sshIdentityTargets,
          ...(hasPull && { Oem: ownActionTarget('SimpleUpdate') }),
        },
      }),
      patch: {
        schema: methods.has('raw') ? ServicePatch : PatchWithoutPush,
        apply: (call) => patchService(call, updates),
      },
      actions: {
        ...(hasPull && { [SIMPLE_UPDATE]: simpleUpdate(SIMPLE_UPDATE, pull) }),
        ...(hasPull && { [OWN_SIMPLE_UPDATE]: simpleUpdate(OWN_SIMPLE_UPDATE, pull) }),
        'UpdateService.StartUpdate': startUpdate(updates),
        'UpdateService.Activate': activate(updates),
        ...sshIdentityActions(clock),
      },
    },
    capabilitiesRow,
    ...(hasPull ? pullRows(protocols) : []),
    actionInfoRow('StartUpdate', () => []),
    actionInfoRow('Activate', () => [{ Name: 'Targets', Required: true, DataType: 'ObjectArray' }]),
    ...inventoryRows(updates),
    ...localImageRows(images),
    ...identityRows(certificates),
    ...trustAnchorRows,
  ]
}

/** What the actions that fetch images take. */
function pullRows(protocols: PullOptions['protocols']): Row[] {
  return [
    actionInfoRow('SimpleUpdate', (bmc) => simpleUpdateParameters(SIMPLE_UPDATE, bmc, protocols)),
    actionInfoRow('OemSimpleUpdate', (bmc) => simpleUpdateParameters(OWN_SIMPLE_UPDATE, bmc, protocols)),
  ]
}

function multipartMembers(bmc: Bmc): JsonObject {
  return {
    MultipartHttpPushUri: bmc.machine.updateRules.pushUri,
    'MultipartHttpPushUri@Redfish.OperationApplyTimeSupport': applyTimeSupport(bmc),
  }
}

/** What clients read that look at no ActionInfo (Ansible), beside what they look at. */
function pullAnnotations(bmc: Bmc, protocols: PullOptions['protocols']): JsonObject {
  return {
    'TransferProtocol@Redfish.AllowableValues': protocols,
    'Targets@Redfish.AllowableValues': allowableTargets(bmc),
    '@Redfish.OperationApplyTimeSupport': applyTimeSupport(bmc),
  }
}

function patchService({ bmc, body }: Call<Bmc>, updates: Updates): void {
  const { ServiceEnabled, ...others } = body as Static<typeof ServicePatch>
  commit(bmc, {
    settings: {
      ...(ServiceEnabled !== undefined && { updateServiceEnabled: ServiceEnabled }),
      ...identitySettings(others),
      ...pushSettings(bmc, others),
      ...patchedWindow(others),
    },
  })
  updates.windowChanged(bmc)
}
