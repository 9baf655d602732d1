"""What a model of many datasets gains and loses against models of one, class by class."""
