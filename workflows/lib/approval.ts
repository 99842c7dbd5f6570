// Waiting for a person: Updates `approve` and `deny`, accepted only for the very plan that was shown, and only while it waits.

import { ApplicationFailure, condition, defineUpdate, setHandler } from '@temporalio/workflow';
import { type ApprovalUpdate, messages, type RunStatus } from '../../src/domain/operations.ts';
import type { PlanSummary } from '../../src/domain/plan-summary.ts';
import { type ErrorCode, type ErrorData, fail, fromErrorData, HoldfastError } from '../../src/errors/index.ts';
import type { Conduct } from './operate.ts';
import type { Progress } from './progress.ts';

const approveUpdate = defineUpdate<RunStatus, [ApprovalUpdate]>(messages.approve);
const denyUpdate = defineUpdate<RunStatus, [ApprovalUpdate]>(messages.deny);

/** Who said what, as claimed: Temporal does not authenticate it. */
export interface Decision {
  readonly approved: boolean;
  readonly by: string;
  readonly at: string;
}

/** What every input says of who must agree. */
interface Asked {
  readonly approval: 'never' | 'always';
  readonly approveWithinSeconds: number;
}

/** Throws `PLAN_CHANGED` when a person was shown another one, and what is in the way of this one. */
export function requireAsShown(
  { planDigest }: { readonly planDigest?: string },
  { digest, blockers }: { readonly digest: string; readonly blockers?: readonly ErrorData[] },
): void {
  if (planDigest !== undefined && planDigest !== digest) {
    fail('PLAN_CHANGED', `the plan now has digest '${digest}', not '${planDigest}' as shown`);
  }
  const [blocker] = blockers ?? [];
  if (blocker !== undefined) throw fromErrorData(blocker);
}

export class Approval {
  #waitingFor: string | undefined;
  #decision: Decision | undefined;

  /** Registers both updates, so it is made before the first await. */
  constructor(progress: Progress) {
    const decide =
      (approved: boolean) =>
      (update: ApprovalUpdate): RunStatus => {
        this.#decision = { approved, by: update.by, at: new Date().toISOString() };
        // The run itself goes on only after this answer: whoever decided is told what that means, not what was before.
        return {
          ...progress.status(),
          state: 'running',
          message: `${approved ? 'approved' : 'denied'} by '${update.by}'`,
        };
      };
    const options = { validator: (update: ApprovalUpdate) => this.#validate(update) };
    setHandler(approveUpdate, decide(true), { ...options, description: 'approve the plan that is shown' });
    setHandler(denyUpdate, decide(false), { ...options, description: 'refuse the plan that is shown' });
  }

  /** The step `approve`: skipped where the policy asks nobody; `recheck` throws when the plan does not hold any more by then. */
  async ask(
    { input, progress }: Pick<Conduct<Asked>, 'input' | 'progress'>,
    plan: Pick<PlanSummary, 'digest'>,
    recheck: () => Promise<unknown>,
  ): Promise<void> {
    if (input.approval === 'never') {
      progress.skip('approve', 'the policy asks nobody');
      return;
    }
    await progress.step('approve', async () => {
      const decision = await this.wait(progress, plan, input.approveWithinSeconds);
      progress.tell({ approval: decision });
      await recheck();
    });
  }

  /**
   * Waits durably. Throws `APPROVAL_REQUIRED` when the plan was denied, or nobody decided within the time.
   */
  async wait(progress: Progress, plan: Pick<PlanSummary, 'digest'>, withinSeconds: number): Promise<Decision> {
    this.#waitingFor = plan.digest;
    const until = new Date(Date.now() + withinSeconds * 1000).toISOString();
    progress.enter('waiting', `waits for \`holdfast approve ${progress.run}\` until ${until}`);
    await condition(() => this.#decision !== undefined, withinSeconds * 1000);
    this.#waitingFor = undefined;
    const decision = this.#decision;
    if (decision === undefined) fail('APPROVAL_REQUIRED', `nobody approved the plan until ${until}`);
    if (!decision.approved) {
      fail('APPROVAL_REQUIRED', `the plan was denied by '${decision.by}'`, {
        hint: 'start it again with another target',
      });
    }
    progress.enter('running', `approved by '${decision.by}'`);
    return decision;
  }

  #validate(update: ApprovalUpdate): void {
    if (typeof update?.planDigest !== 'string' || typeof update.by !== 'string' || update.by === '') {
      reject('USAGE', `expected {"planDigest": "…", "by": "…"}`);
    }
    if (this.#waitingFor === undefined) reject('JOURNAL_STATE', 'no plan waits for approval');
    if (this.#decision !== undefined) {
      reject(
        'JOURNAL_STATE',
        `the plan was already ${this.#decision.approved ? 'approved' : 'denied'} by '${this.#decision.by}'`,
      );
    }
    if (update.planDigest !== this.#waitingFor) {
      reject('PLAN_CHANGED', `the plan that waits has digest '${this.#waitingFor}', not '${update.planDigest}'`);
    }
  }
}

/** Validators must fail with a failure of Temporal's, or the workflow task is tried again for ever. */
function reject(code: ErrorCode, message: string): never {
  const error = new HoldfastError(code, message);
  throw ApplicationFailure.create({ type: code, message, nonRetryable: true, details: [error.toJSON()] });
}
