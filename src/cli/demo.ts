import type { Command } from 'commander'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { listComponents } from '../bmc/bmc.ts'
import { createEmulator, type Emulator } from '../index.ts'
import { push } from './push.ts'
import type { Finish, Terminal } from './terminal.ts'

const wanted = [
  { name: 'BIOS', version: '1.9.0' },
  { name: 'NIC-1', version: '22.42.1000' },
]
const IMAGE_BYTES = 8 * 2 ** 20

/** `redflash demo`: one whole update on a machine of its own, start to end. */
export function addDemoCommand(program: Command, terminal: Terminal, finish: Finish): void {
  program
    .command('demo')
    .description('start an emulated BMC, update its BIOS and a NIC, and show what changed')
    .action(async () => finish(await runDemo(terminal)))
}

async function runDemo(terminal: Terminal): Promise<number> {
  const { out } = terminal
  const folder = await mkdtemp(join(tmpdir(), 'redflash-demo-'))
  const image = join(folder, 'update.tar')
  try {
    await using emulator = await createEmulator({ https: false, speed: 30 })
    const { url = '', config } = emulator
    out.write(
      `An emulated server at ${url}/redfish/v1/, its devices 30 times faster than real ones.\n\nBefore:\n`,
    )
    showInventory(emulator, terminal)
    const { writeBundle } = await import('./image-build.ts')
    const { componentOrders } = await import('./image-order.ts')
    await writeBundle(componentOrders(wanted, IMAGE_BYTES, config.machine), image)
    out.write(
      `\nAn image with ${wanted.map(({ name, version }) => `${name} ${version}`).join(' and ')}, pushed:\n`,
    )
    const exitCode = await push(terminal, url, image, {
      user: config.user,
      password: config.password,
      reset: true,
    })
    out.write('\nAfter:\n')
    showInventory(emulator, terminal)
    return exitCode
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

function showInventory({ bmcs }: Emulator, { out }: Terminal): void {
  for (const bmc of bmcs) {
    for (const { id, now } of listComponents(bmc))
      out.write(`  ${id.padEnd(14)}${now.version.padEnd(16)}${now.state}\n`)
  }
}
