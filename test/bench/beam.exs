# One arm of the same work on the BEAM, for `run.ts`: prints its figure.
#   elixir --erl "+P 5000000 +S 1:1" beam.exs <arm> <scale>
# Debian's Elixir is old: name the versions beside any figure. Every arm waits until its work is done.
:logger.set_primary_config(:level, :none)

defmodule Counter do
  use GenServer

  def init({:report, to}) do
    send(to, {:up, self()})
    {:ok, 0}
  end

  def init(count), do: {:ok, count}
  def start_link(argument), do: GenServer.start_link(__MODULE__, argument)

  def handle_call({:increase, by}, _from, count), do: {:reply, count + by, count + by}
  def handle_call(:get, _from, count), do: {:reply, count, count}
  def handle_cast({:add, by}, count), do: {:noreply, count + by}
  def handle_cast(:crash, _count), do: exit(:crash)
end

defmodule Simple do
  def init(_), do: {:ok, {%{strategy: :simple_one_for_one}, [%{id: Counter, start: {Counter, :start_link, []}}]}}
end

defmodule Ring do
  # Passes the token on; a token of 0 ends the ring.
  def loop(next) do
    receive do
      0 -> send(next, 0)
      left -> send(next, left - 1) && loop(next)
    end
  end

  # The process that measures is the thousandth of the ring.
  def close(first, hops) when hops > 0 do
    receive do
      _ -> send(first, 999) && close(first, hops - 1000)
    end
  end

  def close(_first, _hops), do: receive(do: (_ -> :ok))
end

defmodule Arms do
  def start(count), do: for(_ <- 1..count, do: elem(GenServer.start(Counter, 0), 1))
  def kill(pids), do: Enum.each(pids, &Process.exit(&1, :kill))
  def ups(count), do: for(_ <- 1..count, do: receive(do: ({:up, pid} -> pid)))

  def micros(work), do: elem(:timer.tc(work), 0)
  def per_second(count, work), do: count / micros(work) * 1_000_000
  def median(values), do: values |> Enum.sort() |> Enum.at(div(length(values), 2))
  def repeat(times, measure), do: median(for _ <- 1..times, do: measure.())

  def measure("spawn_exit_per_s", scale) do
    count = round(100_000 * scale)
    repeat(3, fn -> per_second(count, fn -> for _ <- 1..count, do: spawn(fn -> :ok end) end) end)
  end

  def measure("server_start_per_s", scale) do
    count = round(100_000 * scale)
    me = self()
    micros = micros(fn -> send(me, {:started, start(count)}) end)
    receive(do: ({:started, pids} -> kill(pids)))
    count / micros * 1_000_000
  end

  def measure("idle_server_bytes", scale) do
    count = round(100_000 * scale)
    :erlang.garbage_collect()
    before = :erlang.memory(:processes)
    pids = start(count)
    bytes = (:erlang.memory(:processes) - before) / count
    kill(pids)
    bytes
  end

  def measure("cast_per_s", scale) do
    count = round(500_000 * scale)
    [pid] = start(1)

    repeat(5, fn ->
      per_second(count, fn ->
        for _ <- 1..count, do: GenServer.cast(pid, {:add, 1})
        GenServer.call(pid, :get, :infinity)
      end)
    end)
  end

  def measure("call_per_s", scale) do
    count = round(100_000 * scale)
    [pid] = start(1)
    repeat(5, fn -> per_second(count, fn -> for _ <- 1..count, do: GenServer.call(pid, {:increase, 1}) end) end)
  end

  def measure("call_1000_clients_per_s", scale) do
    each = round(100 * scale)
    [pid] = start(1)
    client = fn -> for _ <- 1..each, do: GenServer.call(pid, {:increase, 1}, :infinity) end

    repeat(3, fn ->
      per_second(each * 1000, fn ->
        for(_ <- 1..1000, do: Task.async(client)) |> Task.await_many(:infinity)
      end)
    end)
  end

  def measure("agent_update_per_s", scale) do
    count = round(100_000 * scale)
    {:ok, agent} = Agent.start_link(fn -> 0 end)
    rate = repeat(5, fn -> per_second(count, fn -> for _ <- 1..count, do: Agent.update(agent, &(&1 + 1)) end) end)
    ^count = div(Agent.get(agent, & &1), 5)
    rate
  end

  def measure("ring_hops_per_s", scale) do
    hops = round(100 * scale) * 1000

    repeat(3, fn ->
      first = Enum.reduce(1..999, self(), fn _, next -> spawn(fn -> Ring.loop(next) end) end)
      send(first, 999)
      rate = per_second(hops, fn -> Ring.close(first, hops - 1000) end)
      send(first, 0)
      receive(do: (0 -> rate))
    end)
  end

  def measure("whereis_per_s", scale) do
    count = round(1_000_000 * scale)
    [pid] = start(1)
    Process.register(pid, :counter)
    repeat(3, fn -> per_second(count, fn -> for _ <- 1..count, do: Process.whereis(:counter) end) end)
  end

  def measure("register_per_s", scale) do
    count = round(100_000 * scale)
    {:ok, _} = Registry.start_link(keys: :unique, name: Keys)
    per_second(count, fn -> for i <- 1..count, do: {:ok, _} = Registry.register(Keys, i, nil) end)
  end

  def measure("lookup_per_s", scale) do
    count = round(100_000 * scale)
    {:ok, _} = Registry.start_link(keys: :unique, name: Keys)
    for i <- 1..count, do: {:ok, _} = Registry.register(Keys, i, nil)
    repeat(3, fn -> per_second(count, fn -> for i <- 1..count, do: Registry.lookup(Keys, i) end) end)
  end

  def measure("start_child_per_s", scale) do
    count = round(20_000 * scale)
    {:ok, supervisor} = DynamicSupervisor.start_link(strategy: :one_for_one)
    per_second(count, fn -> for _ <- 1..count, do: {:ok, _} = DynamicSupervisor.start_child(supervisor, {Counter, 0}) end)
  end

  def measure("async_stream_per_s", scale) do
    count = round(100_000 * scale)
    stream = fn -> 1..count |> Task.async_stream(& &1, max_concurrency: 8) |> Stream.run() end
    repeat(3, fn -> per_second(count, stream) end)
  end

  def measure("stop_20000_dynamic_children_ms", scale) do
    {:ok, supervisor} = DynamicSupervisor.start_link(strategy: :one_for_one)
    for _ <- 1..round(20_000 * scale), do: {:ok, _} = DynamicSupervisor.start_child(supervisor, {Counter, 0})
    micros(fn -> DynamicSupervisor.stop(supervisor, :normal, :infinity) end) / 1000
  end

  # simple_one_for_one is the fastest way to stop many children there is.
  def measure("stop_20000_children_ms", scale) do
    {:ok, supervisor} = :supervisor.start_link(Simple, [])
    for _ <- 1..round(20_000 * scale), do: {:ok, _} = :supervisor.start_child(supervisor, [0])
    micros(fn -> GenServer.stop(supervisor, :normal, :infinity) end) / 1000
  end

  # One crash in each of many supervisors.
  def measure("crash_restart_per_s", scale) do
    count = round(1_000 * scale)
    for _ <- 1..count, do: {:ok, _} = Supervisor.start_link([{Counter, {:report, self()}}], strategy: :one_for_one)
    pids = ups(count)
    per_second(count, fn -> Enum.each(pids, &GenServer.cast(&1, :crash)) && ups(count) end)
  end

  # One crash of each of many children of one supervisor.
  def measure("crash_restart_one_supervisor_per_s", scale) do
    count = round(1_000 * scale)
    {:ok, supervisor} = DynamicSupervisor.start_link(strategy: :one_for_one, max_restarts: 1_000_000)
    for _ <- 1..count, do: {:ok, _} = DynamicSupervisor.start_child(supervisor, {Counter, {:report, self()}})
    pids = ups(count)
    per_second(count, fn -> Enum.each(pids, &GenServer.cast(&1, :crash)) && ups(count) end)
  end
end

[arm, scale] = System.argv()
IO.write(Arms.measure(arm, elem(Float.parse(scale), 0)))
