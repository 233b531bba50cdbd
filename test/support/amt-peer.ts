import { onTestFinished } from 'vitest'
import { imageReader } from '../../src/cli/amt-image.ts'
import { createAmtAdapter } from '../../src/devices/amt/amt-adapter.ts'
import { createBootFetcher } from '../../src/devices/amt/simulated/boot-fetcher.ts'
import type { AmtMachine, MachineOptions } from '../../src/devices/amt/simulated/machine.ts'
import { identityAt, startMachines } from '../../src/devices/amt/simulated/start-machines.ts'
import { type Clock, systemClock } from '../../src/lib/clock.ts'
import { startPublisher } from './image-publisher.ts'

export const factory = { bios: '1.4.0', csme: '16.1.25.1932', recovery: '16.0.15.1620' }
export const account = { userName: 'admin', password: 'P@ssw0rd' }
export const softwareIds = { bios: ['BIOS-Virtual-vPro', '11.1'], csme: ['Intel-CSME', '10.2'] }

/** A machine that is done with everything at once. */
export const hasty = {
  postMs: 1,
  bootMs: 1,
  shutdownMs: 1,
  csmeRestartMs: 20,
  verifyMs: 1,
  installMs: 5,
}

export interface AmtPeerOptions extends Partial<MachineOptions> {
  readonly clock?: Clock
  readonly nonceLifetimeMs?: number
  readonly tls?: { readonly cert: string; readonly key: string }
  readonly trustedCertificates?: readonly string[]
  /** Whom the machine's BIOS trusts, and as whom images are served. */
  readonly images?: { readonly ca: string; readonly cert: string; readonly key: string }
}

/** A simulated machine on sockets of its own, with an adapter that reaches it; both end with the test. */
export async function startAmtPeer(options: AmtPeerOptions = {}) {
  const {
    clock = systemClock,
    nonceLifetimeMs = 60_000,
    tls,
    trustedCertificates,
    images,
    ...given
  } = options
  const screen: string[] = []
  const fetcher = createBootFetcher({ ca: images && [images.ca], allowHttp: true })
  const machines = await startMachines(1, (place) => ({
    machine: {
      clock,
      identity: identityAt(place),
      versions: { ...factory, biosReleased: clock.now() },
      times: hasty,
      isOn: true,
      httpsBoot: 'enabled',
      consent: 'none',
      show: (line) => screen.push(line),
      fetcher,
      readImage: imageReader(clock),
      softwareIds,
      faults: new Set(),
      ...given,
    },
    server: { clock, host: '127.0.0.1', port: 0, tlsPort: tls && 0, keyPair: tls, account, nonceLifetimeMs },
  }))
  const [served] = machines.machines
  if (served === undefined) throw new Error('no machine was started')
  const publisher = await startPublisher(images)
  const adapter = createAmtAdapter({
    clock,
    publish: publisher.publish,
    ...(trustedCertificates && { trustedCertificates }),
    patience:
      clock === systemClock
        ? { pollMs: 5, bootMs: 100, versionMs: 200, installMs: 2_000, answerMs: 5_000 }
        : {},
  })
  onTestFinished(async () => {
    await adapter.close()
    await machines.close()
    await fetcher.close()
  })
  const machine: AmtMachine = served.machine
  return {
    adapter,
    machine,
    publisher,
    /** What the user has seen on the screen. */
    screen,
    address: { hostName: served.url ?? '', ...account },
    httpsUrl: served.httpsUrl,
    connections: served.connections,
  }
}
