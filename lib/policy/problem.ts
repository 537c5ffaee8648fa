/** Why a piece of a policy is refused, and the smallest fix. */
export interface Problem {
  readonly reason: string;
  readonly fix: string;
}

export const problemText = (problem: Problem): string => `${problem.reason}: ${problem.fix}`;
