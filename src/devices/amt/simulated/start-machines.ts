import { createHash } from 'node:crypto'
import { type AmtServer, serveAmt, type ServerOptions } from './amt-server.ts'
import { AmtMachine, type MachineIdentity, type MachineOptions } from './machine.ts'

/** A machine with the server that it is reached by. */
interface ServedMachine extends Omit<AmtServer, 'close'> {
  readonly machine: AmtMachine
}

export interface ServedMachines {
  readonly machines: readonly ServedMachine[]
  close(): Promise<void>
}

/** What tells the machine in this place from its like. */
export type MachineAt = (place: number) => {
  readonly machine: MachineOptions
  readonly server: ServerOptions
}

/** Starts so many machines in this process; what they fetch with is closed by whoever made it. */
export async function startMachines(count: number, at: MachineAt): Promise<ServedMachines> {
  const machines: { readonly machine: AmtMachine; readonly server: AmtServer }[] = []
  const close = async (): Promise<void> => {
    await Promise.all(
      machines.map(async ({ machine, server }) => {
        await machine.close()
        await server.close()
      }),
    )
  }
  try {
    for (let place = 0; place < count; place++) {
      const options = at(place)
      const machine = new AmtMachine(options.machine)
      const server = await serveAmt(machine, options.server)
      machines.push({ machine, server })
    }
  } catch (error) {
    await close()
    throw error
  }
  return { machines: machines.map(({ machine, server }) => ({ ...server, machine })), close }
}

/** Made up, and the same for the same place. */
export function identityAt(place: number): MachineIdentity {
  const digest = createHash('sha256').update(`amt ${place}`).digest('hex')
  const field = (from: number, to: number): string => digest.slice(from, to)
  return {
    uuid: `${field(0, 8)}-${field(8, 12)}-4${field(13, 16)}-8${field(17, 20)}-${field(20, 32)}`,
    manufacturer: 'Redflash',
    model: 'Virtual vPro',
    serialNumber: `RF${field(32, 42).toUpperCase()}`,
  }
}
