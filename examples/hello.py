import platform
platform.python_implementation()

# A kernel remembers: each line can use what the lines above it made.
temperatures = {"Mercury": 167, "Venus": 464}
max(temperatures.values())

# %% A cell. What is longer than one line stands below the code.
for planet, degrees in temperatures.items():
    print(f"{planet:8} {degrees:4} °C", "#" * (degrees // 20))

# %% Another cell. Text appears while the code runs.
import time
for percent in range(0, 101, 10):
    print(f"\rThinking ... {percent} %", end="")
    time.sleep(0.05)
