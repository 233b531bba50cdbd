import type { Clock } from '../../lib/clock.ts'
import type { Abilities, DeviceAdapter, DeviceAddress } from '../device.ts'
import { createAbilities } from './abilities.ts'
import type { Patience, StagesOptions } from './boot-update.ts'
import { Connections, originOf } from './connection.ts'
import { readFacts, readPower } from './facts.ts'
import { Management } from './management.ts'
import { resetTypes } from './power-states.ts'
import { DeviceError, resultsBy } from '../device-error.ts'
import { placesBy } from '../place.ts'
import { problemOf } from './problems.ts'
import { createStages } from './stages.ts'
import { PATH } from './wsman.ts'

export interface AmtOptions {
  readonly clock: Clock
  /** Lets devices fetch an image: by HTTPS, from a server that they trust. */
  readonly publish: StagesOptions['publish']
  /**
   * Who must have signed a device's certificate, or the certificates themselves (PEM): whoever shows another is
   * `untrusted`. Unless given, any certificate is accepted, because most devices have made their own.
   */
  readonly trustedCertificates?: readonly string[]
  readonly patience?: Partial<Patience>
}

export type AmtAdapter = DeviceAdapter & { readonly abilities: Abilities }

const asResult = resultsBy(problemOf)
const ordinary: Patience = {
  answerMs: 30_000,
  installMs: 1_800_000,
  bootMs: 180_000,
  versionMs: 60_000,
  pollMs: 5_000,
}

/** Reaches computers with Intel AMT, by WS-Management. */
export function createAmtAdapter({
  clock,
  publish,
  trustedCertificates,
  ...options
}: AmtOptions): AmtAdapter {
  const patience = { ...ordinary, ...options.patience }
  const { answerMs } = patience
  const connections = new Connections({ clock, trustedCertificates, answerMs })
  const manage = (device: DeviceAddress, signal: AbortSignal): Management =>
    new Management(connections.send, device, signal)
  const stages = createStages({
    clock,
    patience,
    publish,
    manage: ({ device, signal }) => manage(device, signal),
  })
  return {
    ...stages,
    placeOf: placesBy(originOf, PATH),
    look: (device, signal) => asResult(signal, () => readFacts(manage(device, signal))),
    reset: (device, { of, type }, signal) =>
      asResult(signal, () => reset(manage(device, signal), of === 'system' ? type : undefined)),
    abilities: createAbilities(manage),
    close: async () => {
      stages.close()
      await connections.close()
    },
  }
}

async function reset(management: Management, type: string | undefined): Promise<void> {
  const request = type === undefined ? undefined : resetTypes.get(type)
  if (request === undefined) throw new DeviceError({ kind: 'unsupported', detail: 'it has no such reset' })
  const { available } = await readPower(management)
  if (!available.includes(request))
    throw new DeviceError({ kind: 'busy', detail: 'its power allows that not now' })
  const document = management.cim.PowerManagementService.RequestPowerStateChange(request)
  await management.invoke('RequestPowerStateChange', document)
}
