import { randomBytes } from 'node:crypto'
import { type Bmc, type BmcAction, type Component, machineResource, type Row } from '../../bmc/bmc.ts'
import { certificateView } from '../../bmc/certificate-view.ts'
import { digest, measure, measuredBy, type Measured, running, runsSince } from '../../bmc/measurements.ts'
import { type Clock, timestamp } from '../../lib/clock.ts'
import { type Static, Type } from '../../lib/schema.ts'
import { RedfishError } from '../../redfish/errors.ts'
import { about, message } from '../../redfish/messages/message.ts'
import {
  collection,
  isObject,
  type JsonObject,
  link,
  linkUris,
  type Resource,
} from '../../redfish/resource.ts'
import type { Params } from '../../redfish/resource-table.ts'
import { uris } from '../../redfish/uris.ts'
import { DeviceIdentities } from './device-identities.ts'
import { ALL, COUNT, HASH, SIGNATURE, signedMeasurements, spdmMeasurements } from './spdm.ts'
import { machinePatch } from './writable.ts'

const SIGNED = 'ComponentIntegrity.SPDMGetSignedMeasurements'

/** Who measures what runs, and what was found: the machine's data has the parties, we add the measurements. */
export function integrityRows(clock: Clock): readonly Row[] {
  const identities = new DeviceIdentities(clock)
  const trusted = uris.trustedComponent(uris.chassisMember(':chassis'), ':id')
  return [
    {
      path: uris.componentIntegrity(':id'),
      type: 'ComponentIntegrity',
      view: (bmc, { id = '' }) => integrityView(bmc, uris.componentIntegrity(id)),
      patch: machinePatch(({ id = '' }) => uris.componentIntegrity(id)),
      actions: { [SIGNED]: signed(identities) },
    },
    {
      path: trusted,
      type: 'TrustedComponent',
      view: (bmc, params) => trustedView(bmc, trustedUri(params)),
    },
    {
      path: uris.trustedCertificates(trusted),
      type: 'CertificateCollection',
      view: (bmc, params) => {
        const uri = uris.trustedCertificates(trustedUri(params))
        const members = [uris.trustedCertificate(trustedUri(params))]
        return responderOf(bmc, trustedUri(params)) === undefined
          ? machineResource(bmc, uri)
          : collection('CertificateCollection', uri, 'Certificates of the device', members)
      },
    },
    {
      path: uris.trustedCertificate(trusted),
      type: 'Certificate',
      prepare: (bmc, params) => {
        const responder = responderOf(bmc, trustedUri(params))
        if (responder === undefined || bmc.state.deviceIdentities.has(responder)) return undefined
        return identities.of(bmc, responder)
      },
      view: (bmc, params) => {
        const uri = uris.trustedCertificate(trustedUri(params))
        const responder = responderOf(bmc, trustedUri(params))
        if (responder === undefined) return machineResource(bmc, uri)
        const certificate = bmc.state.deviceIdentities.get(responder)?.certificate
        return certificateView(uri, 'Device certificate', certificate, ['Device'])
      },
    },
  ]
}

function trustedUri({ chassis = '', id = '' }: Params): string {
  return uris.trustedComponent(uris.chassisMember(chassis), id)
}

function integrityView(bmc: Bmc, uri: string): Resource | undefined {
  const shown = machineResource(bmc, uri)
  if (shown?.['ComponentIntegrityEnabled'] === false) {
    // Nothing is said of a component that nobody may talk to.
    return { ...shown, SPDM: undefined, TPM: undefined, ComponentIntegrityTypeVersion: '' }
  }
  const component = running(bmc, measuredBy(bmc, uri))
  if (shown === undefined || component === undefined) return shown
  const found = measure(component)
  const { SPDM, TPM, LastUpdated, Status } = shown
  const since = runsSince(bmc, component)
  const time = typeof since === 'number' ? timestamp(since) : since === 'factory' ? LastUpdated : null
  return {
    ...shown,
    LastUpdated: time,
    Status: { ...(isObject(Status) && Status), Health: component.now.health },
    ...(isObject(SPDM) && { SPDM: { ...SPDM, ...(found && { MeasurementSet: spdmSet(found, time) }) } }),
    ...(isObject(TPM) && { TPM: { ...TPM, ...(found && { MeasurementSet: tpmSet(found, time) }) } }),
    // Whoever does not answer signs nothing.
    ...(isObject(SPDM) && found && { Actions: { [`#${SIGNED}`]: { target: uris.action(uri, SIGNED) } } }),
  }
}

type Time = JsonObject[string]

function spdmSet(found: Measured, LastUpdated: Time): JsonObject {
  const all = spdmMeasurements(found)
  return {
    MeasurementSpecification: 'DMTF',
    MeasurementSummary: digest(Buffer.concat(all.map(({ block }) => block))).toString('base64'),
    MeasurementSummaryHashAlgorithm: HASH,
    MeasurementSummaryType: 'All',
    Measurements: all.map(({ index, kind, sha256 }) => ({
      MeasurementIndex: index,
      MeasurementType: kind,
      Measurement: sha256.toString('base64'),
      MeasurementHashAlgorithm: HASH,
      PartofSummaryHash: true,
      ...(kind === 'MutableFirmwareSecurityVersionNumber' && {
        SecurityVersionNumber: found.securityVersion.toString(16).padStart(16, '0'),
      }),
      LastUpdated,
    })),
  }
}

/** A register is never set, only extended: from zeros, by the firmware's digest (TPM 2.0, TPM2_PCR_Extend). */
function tpmSet({ firmware }: Measured, LastUpdated: Time): JsonObject {
  const register = digest(Buffer.concat([Buffer.alloc(32), firmware]))
  const measurement = {
    PCR: 0,
    Measurement: register.toString('base64'),
    MeasurementHashAlgorithm: 'TPM_ALG_SHA256',
    LastUpdated,
  }
  return { Measurements: [measurement] }
}

const SignedParameters = Type.Object(
  {
    MeasurementIndices: Type.Optional(
      Type.Array(Type.Integer({ minimum: COUNT, maximum: ALL }), { minItems: 1, uniqueItems: true }),
    ),
    Nonce: Type.Optional(Type.String({ pattern: '^[0-9a-fA-F]{64}$' })),
    SlotId: Type.Optional(Type.Integer({ minimum: 0 })),
  },
  { additionalProperties: false },
)

/** SPDMGetSignedMeasurements: what is measured, signed by the device with the nonce, so that nobody can make it up. */
function signed(identities: DeviceIdentities): BmcAction {
  return {
    parameters: SignedParameters,
    run: async ({ bmc, params, body }) => {
      const uri = uris.componentIntegrity(params['id'] ?? '')
      const component = running(bmc, measuredBy(bmc, uri))
      const found = component && measure(component)
      if (found === undefined) throw new RedfishError(400, message('Base.ActionNotSupported', SIGNED))
      const asked = body as Static<typeof SignedParameters> // judged when it came
      const {
        MeasurementIndices: indices = [ALL],
        Nonce = randomBytes(32).toString('hex'),
        SlotId = 0,
      } = asked
      const all = spdmMeasurements(found)
      const known = [COUNT, ...(indices.length === 1 ? [ALL] : []), ...all.map(({ index }) => index)]
      const unknown = indices.find((index) => !known.includes(index))
      if (unknown !== undefined) throw notInList(unknown, 'MeasurementIndices')
      if (SlotId !== 0) throw notInList(SlotId, 'SlotId')
      const { privateKey } = await identities.of(bmc, uri)
      const talk = signedMeasurements(all, indices, Buffer.from(Nonce, 'hex'), privateKey)
      const target = bmc.machine.resources.get(uri)?.['TargetComponentURI']
      const answer = {
        SignedMeasurements: talk.toString('base64'),
        Version: '1.2',
        HashingAlgorithm: HASH,
        SigningAlgorithm: SIGNATURE,
        ...(typeof target === 'string' && { Certificate: link(uris.trustedCertificate(target)) }),
      }
      return { status: 200, body: answer }
    },
  }
}

function notInList(value: number, parameter: string): RedfishError {
  const refusal = message('Base.ActionParameterValueNotInList', String(value), parameter, SIGNED)
  return new RedfishError(400, about(refusal, `/${parameter}`))
}

/** The ComponentIntegrity that tells what a trusted component measures by SPDM of firmware that we know. */
function responderOf(bmc: Bmc, trusted: string): string | undefined {
  const Links = bmc.machine.resources.get(trusted)?.['Links']
  const all = isObject(Links) ? linkUris(Links['ComponentIntegrity']) : []
  return all.find(
    (one) => isObject(bmc.machine.resources.get(one)?.['SPDM']) && measuredBy(bmc, one).length > 0,
  )
}

/** A root of trust that runs firmware which is measured shows which; a TPM runs its own. */
function trustedView(bmc: Bmc, uri: string): Resource | undefined {
  const shown = machineResource(bmc, uri)
  const Links = shown?.['Links']
  const responder = responderOf(bmc, uri)
  if (shown === undefined || !isObject(Links) || responder === undefined) return shown
  const measured = measuredBy(bmc, responder)
  const active = running(bmc, measured)
  if (active === undefined) return shown
  const images = [...measured.map((one) => one.uri), ...measured.flatMap(besideIt)]
  const software = {
    ActiveSoftwareImage: link(active.uri),
    SoftwareImages: images.map(link),
    'SoftwareImages@odata.count': images.length,
  }
  return { ...shown, Links: { ...Links, ...software } }
}

function besideIt({ now }: Component): string[] {
  return (now.standby ?? []).map(({ id }) => uris.firmware(id))
}
