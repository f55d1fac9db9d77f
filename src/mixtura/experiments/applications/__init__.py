"""Real problems solved: arms, shots, pens, markets, rain, simulators and policies."""

from mixtura.experiments.applications.ballistics import shots
from mixtura.experiments.applications.exploration import exploration
from mixtura.experiments.applications.finance import finance
from mixtura.experiments.applications.handwriting import handwriting
from mixtura.experiments.applications.kinematics import kinematics
from mixtura.experiments.applications.policies import mixture_policies
from mixtura.experiments.applications.simulators import simulation_based_inference
from mixtura.experiments.applications.strokes import characters
from mixtura.experiments.applications.weather import weather

__all__ = [
    "characters",
    "exploration",
    "finance",
    "handwriting",
    "kinematics",
    "mixture_policies",
    "shots",
    "simulation_based_inference",
    "weather",
]
