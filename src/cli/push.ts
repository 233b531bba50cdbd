import type { Command } from 'commander'
import { systemClock } from '../lib/clock.ts'
import { createProgress } from './progress.ts'
import type { Finish, Terminal } from './terminal.ts'

interface PushOptions {
  readonly target?: readonly string[]
  readonly applyTime?: string
  readonly force?: true
  readonly reset?: true
  readonly insecure?: true
  readonly user?: string
  readonly password?: string
}

/** `redflash push`: an image into any Redfish service, followed to its end. */
export function addPushCommand(program: Command, terminal: Terminal, finish: Finish): void {
  program
    .command('push')
    .description('push an image to a Redfish service and follow the update')
    .argument('<url>', 'the service, as in http://127.0.0.1:8000')
    .argument('<file>', 'the image')
    .option(
      '--target <uri>',
      'what to update; may be repeated',
      (uri: string, before: readonly string[] | undefined) => [...(before ?? []), uri],
    )
    .option('--apply-time <value>', 'when to apply it (@Redfish.OperationApplyTime)')
    .option('--force', 'set ForceUpdate')
    .option('--reset', 'perform the reset that the update asks for, and wait for the new version')
    .option('--insecure', 'accept any certificate')
    .option('--user <name>', 'user name (default: admin)')
    .option('--password <password>', 'password (default: redflash)')
    .action(async (url: string, file: string, options: PushOptions) => {
      const { environment } = terminal
      const user = options.user ?? environment['REDFLASH_USER'] ?? 'admin'
      const password = options.password ?? environment['REDFLASH_PASSWORD'] ?? 'redflash'
      finish(await push(terminal, url, file, { ...options, user, password }))
    })
}

/** Pushes and reports; resolves to the exit code, 0 only for an update that completed. */
export async function push(
  { out, err }: Terminal,
  url: string,
  file: string,
  options: PushOptions,
): Promise<number> {
  // Loaded here: no other command needs an HTTP client.
  const [{ RedfishClient }, { pushImage, resetAndWait }] = await Promise.all([
    import('../client/redfish-client.ts'),
    import('../client/push.ts'),
  ])
  const { user = '', password = '', insecure = false, target, applyTime, force } = options
  const client = new RedfishClient(url, { user, password, insecure })
  const watcher = createProgress(out, systemClock)
  const parameters = {
    ...(target !== undefined && { Targets: target }),
    ...(applyTime !== undefined && { '@Redfish.OperationApplyTime': applyTime }),
    ...(force && { ForceUpdate: true }),
  }
  try {
    const { completed, messages } = await pushImage(client, { file, parameters }, watcher, systemClock)
    if (!completed) {
      err.write('the update did not complete\n')
      return 1
    }
    if (options.reset) await resetAndWait(client, messages, watcher, systemClock)
    return 0
  } finally {
    await client.close()
  }
}
